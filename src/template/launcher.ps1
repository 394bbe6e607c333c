# octorhai: the launcher of `@NAME@` in PowerShell. All logic is in the program: this finds it and hands on the variables it needs.
# It has a scope of its own and calls no command: no variable of Octopus, function or alias of the same name has a say.
& {
    $fail = {
        param([string] $text)
        $text = $text -replace '\p{Cc}', '?' -replace '##', '# #'
        $coded = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($text))
        foreach ($line in '##octopus[stdout-error]', "octorhai: $text", '##octopus[stdout-default]', @FAILED@) { [Console]::Out.WriteLine($line) }
        exit 2
    }
    try {
        $variables = $ExecutionContext.SessionState.PSVariable.GetValue('OctopusParameters')
        if ($null -eq $variables) { & $fail '@NO_VARIABLES@' }
        $get = { param([string] $name) if ($variables.ContainsKey($name)) { [string] $variables[$name] } else { '' } }
        $slash = [string] [IO.Path]::DirectorySeparatorChar
        # The architecture of the system, also in a process of 32 bits. The type that Linux needs is missing in .NET Framework 4.6.2.
        $file, $platform = if ($slash -eq '/') { 'octorhai', "linux-$([Runtime.InteropServices.RuntimeInformation]::OSArchitecture)" }
        elseif ($env:PROCESSOR_ARCHITEW6432) { 'octorhai.exe', "windows-$env:PROCESSOR_ARCHITEW6432" }
        else { 'octorhai.exe', "windows-$env:PROCESSOR_ARCHITECTURE" }
        $platform = $platform.ToLowerInvariant().Replace('amd64', 'x64')
        $package = & $get '@PACKAGE@'
        $binary = $package + $slash + $platform + $slash + $file
        if (-not $package -or -not [IO.File]::Exists($binary)) {
            $binary = & $get '@BINARY@'
            if ($binary.Contains('#' + '{')) { & $fail '@UNKNOWN@' }
            if (-not $binary -and $package) {
                $has = -join ([IO.Directory]::GetFiles($package, 'octorhai*', 'AllDirectories') -replace '^.*[\\/](.+)[\\/].+$', ' $1')
                if (-not $has) { $has = ' no platform' }
                & $fail "@NO_PLATFORM@"
            }
            $folders = "$env:PATH".Replace('"', '').Split([IO.Path]::PathSeparator)
            foreach ($one in $folders) { if (-not $binary -and [IO.File]::Exists("$one$slash$file")) { $binary = "$one$slash$file" } }
            if (-not $binary) { & $fail '@NOWHERE@' }
        }
        if (-not [IO.File]::Exists($binary)) { & $fail "@NO_FILE@" }
        # Name and value of each variable that is set, each ended by NUL, on stdin: no secret is on a command line or in the environment.
        $pairs = @(@PAIRS@)
        foreach ($name in '@VARIABLES@'.Split(' ')) {
            $value = & $get $name
            if ($value.Contains("`0")) { $pairs += '@nul', $name } elseif ($variables.ContainsKey($name)) { $pairs += $name, $value }
        }
        $bytes = [Text.Encoding]::UTF8.GetBytes(($pairs -join "`0") + "`0@end`0`0")
        $start = [Diagnostics.ProcessStartInfo]::new([IO.Path]::GetFullPath($binary), 'step run')
        $start.UseShellExecute, $start.RedirectStandardInput = $false, $true
        # Not by ProcessStartInfo: .NET Framework throws there when two variables differ only in case.
        [Environment]::SetEnvironmentVariable('OCTORHAI_FRAME', 'stdin')
        try { $process = [Diagnostics.Process]::Start($start) } catch {
            # Octopus unpacks a package without the right to run its programs.
            $chmod = [Diagnostics.ProcessStartInfo]::new('chmod', "+x `"$binary`"")
            $chmod.UseShellExecute, $chmod.RedirectStandardError = $false, $true
            try { [Diagnostics.Process]::Start($chmod).WaitForExit(); $process = [Diagnostics.Process]::Start($start) } catch { & $fail "@NOT_RUN@" }
        }
        # A program that ends early does not read on: its exit code tells.
        try { $process.StandardInput.BaseStream.Write($bytes, 0, $bytes.Length); $process.StandardInput.BaseStream.Close() } catch { $bytes = $null }
        $process.WaitForExit()
    } catch { & $fail "the launcher failed: $($_.Exception.Message)" }
    exit $process.ExitCode
}
