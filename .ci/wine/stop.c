/* stop.exe EVENT FILE PROGRAM ARGUMENTS: starts the program, waits for the file, and ends the program by EVENT: `interrupt` is that of its
   console for Ctrl-C, `kill` ends it at once. Ends with the program's exit code. Wine 8 cannot send Ctrl-Break. */
#include <windows.h>
#include <stdio.h>
#include <wchar.h>

static BOOL WINAPI stay(DWORD event) {
    (void)event;
    return TRUE;
}

int wmain(int argc, wchar_t **argv) {
    if (argc < 4) return 90;
    /* The command line behind the first three words, as it was written: quotes stay where they are. */
    wchar_t *rest = GetCommandLineW();
    for (int word = 0; word < 3; word++) {
        BOOL quoted = FALSE;
        for (; *rest && (quoted || *rest != L' '); rest++)
            if (*rest == L'"') quoted = !quoted;
        while (*rest == L' ') rest++;
    }
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION child;
    if (!CreateProcessW(NULL, rest, NULL, NULL, TRUE, 0, NULL, NULL, &start, &child)) return 91;
    for (int waited = 0; GetFileAttributesW(argv[2]) == INVALID_FILE_ATTRIBUTES; waited++) {
        if (waited == 1200) {
            TerminateProcess(child.hProcess, 1);
            return 94;
        }
        Sleep(50);
    }
    if (!wcscmp(argv[1], L"kill")) {
        TerminateProcess(child.hProcess, 137);
    } else {
        /* It goes to all that share the console, and this is one of them. */
        SetConsoleCtrlHandler(stay, TRUE);
        if (!GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)) {
            fprintf(stderr, "stop.exe: the event could not be sent: %lu\n", GetLastError());
            TerminateProcess(child.hProcess, 1);
            return 95;
        }
    }
    if (WaitForSingleObject(child.hProcess, 60000) != WAIT_OBJECT_0) {
        TerminateProcess(child.hProcess, 1);
        return 92;
    }
    DWORD code = 93;
    GetExitCodeProcess(child.hProcess, &code);
    return (int)code;
}
