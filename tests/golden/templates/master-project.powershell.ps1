# octorhai: the launcher of `master-project.rhai` in PowerShell. All logic is in the program: this finds it and hands on the variables it needs.
# It has a scope of its own and calls no command: no variable of Octopus, function or alias of the same name has a say.
& {
    $fail = {
        param([string] $text)
        $text = $text -replace '\p{Cc}', '?' -replace '##', '# #'
        $coded = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($text))
        foreach ($line in '##octopus[stdout-error]', "octorhai: $text", '##octopus[stdout-default]', "##octopus[setVariable name='RXhpdENvZGU=' value='Mg==']", "##octopus[setVariable name='RXJyb3IuS2luZA==' value='dXNhZ2U=']", "##octopus[setVariable name='RXJyb3IuTWVzc2FnZQ==' value='${coded}']", "##octopus[resultMessage message='${coded}']") { [Console]::Out.WriteLine($line) }
        exit 2
    }
    try {
        $variables = $ExecutionContext.SessionState.PSVariable.GetValue('OctopusParameters')
        if ($null -eq $variables) { & $fail 'this script has no Octopus variables, as a raw script has none: switch OctopusUseRawScript off' }
        $get = { param([string] $name) if ($variables.ContainsKey($name)) { [string] $variables[$name] } else { '' } }
        $slash = [string] [IO.Path]::DirectorySeparatorChar
        # The architecture of the system, also in a process of 32 bits. The type that Linux needs is missing in .NET Framework 4.6.2.
        $file, $platform = if ($slash -eq '/') { 'octorhai', "linux-$([Runtime.InteropServices.RuntimeInformation]::OSArchitecture)" }
        elseif ($env:PROCESSOR_ARCHITEW6432) { 'octorhai.exe', "windows-$env:PROCESSOR_ARCHITEW6432" }
        else { 'octorhai.exe', "windows-$env:PROCESSOR_ARCHITECTURE" }
        $platform = $platform.ToLowerInvariant().Replace('amd64', 'x64')
        $package = & $get 'Octopus.Action.Package[Octorhai.MasterProject.Package].ExtractedPath'
        $binary = $package + $slash + $platform + $slash + $file
        if (-not $package -or -not [IO.File]::Exists($binary)) {
            $binary = & $get 'Octorhai.MasterProject.BinaryPath'
            if ($binary.Contains('#' + '{')) { & $fail 'Octorhai.MasterProject.BinaryPath names a variable that Octopus does not know' }
            if (-not $binary -and $package) {
                $has = -join ([IO.Directory]::GetFiles($package, 'octorhai*', 'AllDirectories') -replace '^.*[\\/](.+)[\\/].+$', ' $1')
                if (-not $has) { $has = ' no platform' }
                & $fail "the package in Octorhai.MasterProject.Package has no octorhai for ${platform}, it has${has}"
            }
            $folders = "$env:PATH".Replace('"', '').Split([IO.Path]::PathSeparator)
            foreach ($one in $folders) { if (-not $binary -and [IO.File]::Exists("$one$slash$file")) { $binary = "$one$slash$file" } }
            if (-not $binary) { & $fail 'there is no octorhai: choose the package in Octorhai.MasterProject.Package, or write the path of the program into Octorhai.MasterProject.BinaryPath' }
        }
        if (-not [IO.File]::Exists($binary)) { & $fail "there is no file ${binary}: Octorhai.MasterProject.BinaryPath must be the full path of the program" }
        # Name and value of each variable that is set, each ended by NUL, on stdin: no secret is on a command line or in the environment.
        $pairs = @('@protocol', '2', '@secrets', 'Octorhai.MasterProject.Server.ApiKey Octorhai.MasterProject.Server.AccessToken Octorhai.MasterProject.Mail.Server Octorhai.MasterProject.Server.Account.OpenIdConnect.Jwt', '@template', '5aa1bc12-6fb8-58b8-b9cd-7898006956bf 2', '@prefix', 'Octorhai.MasterProject', '@name', 'master-project.rhai', '@script', 'Ly8gc2NyaXB0cy9tYXN0ZXItcHJvamVjdC5yaGFpOiBBIGFuZCBCLCBtYWlsLCBDOyBpZiBDIGZhaWxzLCB0aGUgb2xkZXIgQSBhbmQgQiBjb21lIGJhY2sKbGV0IHRvID0gcGFyYW0oIk5vdGlmeVRvIiwgInRlYW1AZXhhbXBsZS5jb20iLCAje2xhYmVsOiAiV2hvIGdldHMgdGhlIG1haWxzIn0pOwpvbmx5X29uZSgje3dhaXRfdXBfdG86ICIzaCIsIG9uX2J1c3k6IHBhcmFtKCJXaGVuQnVzeSIsICJ3YWl0IiwgI3tsYWJlbDogIldoYXQgYSBzZWNvbmQgdHJhaW4gZG9lcyIsIGNob2ljZXM6IFsid2FpdCIsICJza2lwIiwgImZhaWwiLCAicmVxdWV1ZSJdfSl9KTsKdHJ5IHsKICAgIHNhZ2EofHN8IHsKICAgICAgICB3YWl0KFtzLmRlcGxveSgiUHJvamVjdCBBIiwgImxhdGVzdCIsIGN0eC5lbnYpLCBzLmRlcGxveSgiUHJvamVjdCBCIiwgImxhdGVzdCIsIGN0eC5lbnYpXSwgI3t0aW1lb3V0OiAiNDVtIiwgZmFpbF9mYXN0OiB0cnVlfSk7CiAgICAgICAgZW1haWwoI3t0bzogdG8sIHN1YmplY3Q6IGBBIGFuZCBCIGFyZSBsaXZlIGluICR7Y3R4LmVudn1gLCBib2R5OiByZXBvcnQoZGFzaGJvYXJkKCN7ZW52OiBjdHguZW52fSkpfSk7CiAgICAgICAgd2FpdChzLmRlcGxveSgiUHJvamVjdCBDIiwgImxhdGVzdCIsIGN0eC5lbnYpLCAje3RpbWVvdXQ6ICIzMG0ifSk7CiAgICB9KTsKICAgIGVtYWlsKCN7dG86IHRvLCBzdWJqZWN0OiBgVGhlIHRyYWluIGlzIGxpdmUgaW4gJHtjdHguZW52fWAsIGJvZHk6IGRhc2hib2FyZCgje2VudjogY3R4LmVudn0pfSk7Cn0gY2F0Y2ggKGVycikgewogICAgZW1haWwoI3t0bzogdG8sIHN1YmplY3Q6IGBUaGUgdHJhaW4gc3RvcHBlZCBpbiAke2N0eC5lbnZ9YCwgYm9keTogcHJvYmxlbShlcnIpfSk7CiAgICB0aHJvdzsKfQo=')
        foreach ($name in 'Octopus.Action.ExecutionTimeout.Minutes Octopus.Action.FailScriptOnErrorOutput Octopus.Action.Id Octopus.Action.Name Octopus.Deployment.CreatedBy.DisplayName Octopus.Deployment.CreatedBy.Username Octopus.Deployment.Id Octopus.Deployment.Tenant.Id Octopus.Deployment.Tenant.Name Octopus.Environment.Id Octopus.Environment.Name Octopus.Machine.Id Octopus.Machine.Name Octopus.Project.Id Octopus.Project.Name Octopus.Release.Channel.Name Octopus.Release.Id Octopus.Release.Number Octopus.RunbookRun.Id Octopus.Runbook.Name Octopus.Space.Id Octopus.Space.Name Octopus.Step.Name Octopus.Task.ConcurrencyTag Octopus.Task.Id Octopus.Web.BaseUrl Octopus.Web.ServerUri Octopus.WorkerPool.Id OctopusBypassDeploymentMutex Octorhai.MasterProject.NotifyTo Octorhai.MasterProject.WhenBusy Octorhai.MasterProject.Server.ApiKey Octorhai.MasterProject.Server.AccessToken Octorhai.MasterProject.Server.Url Octorhai.MasterProject.Mail.Server Octorhai.MasterProject.Mail.From Octorhai.MasterProject.Server.Account.Audience Octorhai.MasterProject.Server.Account.OpenIdConnect.Jwt'.Split(' ')) {
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
            try { [Diagnostics.Process]::Start($chmod).WaitForExit(); $process = [Diagnostics.Process]::Start($start) } catch { & $fail "${binary} cannot be run here: it is not octorhai for ${platform}, or this user may not run it" }
        }
        # A program that ends early does not read on: its exit code tells.
        try { $process.StandardInput.BaseStream.Write($bytes, 0, $bytes.Length); $process.StandardInput.BaseStream.Close() } catch { $bytes = $null }
        $process.WaitForExit()
    } catch { & $fail "the launcher failed: $($_.Exception.Message)" }
    exit $process.ExitCode
}
