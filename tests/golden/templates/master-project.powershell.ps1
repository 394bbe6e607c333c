# octorhai: the launcher of `master-project.rhai` in PowerShell. All logic is in the program; this finds it and hands on the variables it needs.
$ErrorActionPreference = 'Stop'
$prefix = 'Octorhai.MasterProject'
$secrets = @(
    'Octorhai.MasterProject.Server.ApiKey', 'Octorhai.MasterProject.Server.AccessToken', 'Octorhai.MasterProject.Mail.Server', 'Octorhai.MasterProject.Server.Account.OpenIdConnect.Jwt'
)
$names = @(
    'Octopus.Action.ExecutionTimeout.Minutes', 'Octopus.Action.FailScriptOnErrorOutput', 'Octopus.Action.Id', 'Octopus.Action.Name', 'Octopus.Deployment.CreatedBy.DisplayName', 'Octopus.Deployment.CreatedBy.Username', 'Octopus.Deployment.Id', 'Octopus.Deployment.Tenant.Id', 'Octopus.Deployment.Tenant.Name', 'Octopus.Environment.Id', 'Octopus.Environment.Name', 'Octopus.Machine.Id', 'Octopus.Machine.Name', 'Octopus.Project.Id', 'Octopus.Project.Name', 'Octopus.Release.Channel.Name', 'Octopus.Release.Id', 'Octopus.Release.Number', 'Octopus.RunbookRun.Id', 'Octopus.Runbook.Name', 'Octopus.Space.Id', 'Octopus.Space.Name', 'Octopus.Step.Name', 'Octopus.Task.ConcurrencyTag', 'Octopus.Task.Id', 'Octopus.Web.BaseUrl', 'Octopus.Web.ServerUri', 'Octopus.WorkerPool.Id', 'OctopusBypassDeploymentMutex',
    'Octorhai.MasterProject.NotifyTo', 'Octorhai.MasterProject.WhenBusy', 'Octorhai.MasterProject.Server.ApiKey', 'Octorhai.MasterProject.Server.AccessToken', 'Octorhai.MasterProject.Server.Url', 'Octorhai.MasterProject.Mail.Server', 'Octorhai.MasterProject.Mail.From', 'Octorhai.MasterProject.Server.Account.Audience', 'Octorhai.MasterProject.Server.Account.OpenIdConnect.Jwt'
)
function Stop-Step([string] $text) {
    $encoded = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes("octorhai: $text"))
    Write-Host '##octopus[stdout-error]'
    Write-Host "octorhai: $text"
    Write-Host '##octopus[stdout-default]'
    Write-Host "##octopus[resultMessage message='$encoded']"
    exit 2
}
if ($null -eq $OctopusParameters) {
    Stop-Step 'this is no script step with Octopus variables; in raw scripting there are none: switch OctopusUseRawScript off'
}
# Windows PowerShell has no $IsWindows.
$onWindows = ($PSVersionTable.PSVersion.Major -lt 6) -or $IsWindows
$system = if ($onWindows) { 'windows' } else { 'linux' }
$machine = if ("$([Runtime.InteropServices.RuntimeInformation]::OSArchitecture)" -eq 'Arm64') { 'arm64' } else { 'x64' }
$file = if ($onWindows) { 'octorhai.exe' } else { 'octorhai' }
$package = $OctopusParameters["Octopus.Action.Package[$prefix.Package].ExtractedPath"]
$given = $OctopusParameters["$prefix.BinaryPath"]
if ($given -like ('#' + '{*}')) { $given = '' }
$packed = if ($package) { [IO.Path]::Combine($package, "$system-$machine", $file) } else { '' }
$found = Get-Command 'octorhai' -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
if ($packed -and (Test-Path -LiteralPath $packed)) { $binary = $packed }
elseif ($given) { $binary = $given }
elseif ($found) { $binary = $found.Path }
else { Stop-Step "no octorhai: choose the package in $prefix.Package, or give a path in $prefix.BinaryPath" }
if (-not (Test-Path -LiteralPath $binary)) { Stop-Step "there is no file $binary" }
if (-not $onWindows) { chmod +x $binary }
Write-Host '##octopus[stdout-verbose]'
Write-Host "octorhai: $binary"
Write-Host '##octopus[stdout-default]'
# Name and value of each variable that is set, each ended by NUL, as bytes: no secret is on a command line or in the environment.
$pairs = @('@protocol', '1', '@secrets', ($secrets -join "`n"), '@template', '5aa1bc12-6fb8-58b8-b9cd-7898006956bf 1', '@prefix', $prefix, '@name', 'master-project.rhai')
$pairs += @('@script', 'Ly8gc2NyaXB0cy9tYXN0ZXItcHJvamVjdC5yaGFpOiBBIGFuZCBCLCBtYWlsLCBDOyBpZiBDIGZhaWxzLCB0aGUgb2xkZXIgQSBhbmQgQiBjb21lIGJhY2sKbGV0IHRvID0gcGFyYW0oIk5vdGlmeVRvIiwgInRlYW1AZXhhbXBsZS5jb20iLCAje2xhYmVsOiAiV2hvIGdldHMgdGhlIG1haWxzIn0pOwpvbmx5X29uZSgje3dhaXRfdXBfdG86ICIzaCIsIG9uX2J1c3k6IHBhcmFtKCJXaGVuQnVzeSIsICJ3YWl0IiwgI3tsYWJlbDogIldoYXQgYSBzZWNvbmQgdHJhaW4gZG9lcyIsIGNob2ljZXM6IFsid2FpdCIsICJza2lwIiwgImZhaWwiLCAicmVxdWV1ZSJdfSl9KTsKdHJ5IHsKICAgIHNhZ2EofHN8IHsKICAgICAgICB3YWl0KFtzLmRlcGxveSgiUHJvamVjdCBBIiwgImxhdGVzdCIsIGN0eC5lbnYpLCBzLmRlcGxveSgiUHJvamVjdCBCIiwgImxhdGVzdCIsIGN0eC5lbnYpXSwgI3t0aW1lb3V0OiAiNDVtIiwgZmFpbF9mYXN0OiB0cnVlfSk7CiAgICAgICAgZW1haWwoI3t0bzogdG8sIHN1YmplY3Q6IGBBIGFuZCBCIGFyZSBsaXZlIGluICR7Y3R4LmVudn1gLCBib2R5OiByZXBvcnQoZGFzaGJvYXJkKCN7ZW52OiBjdHguZW52fSkpfSk7CiAgICAgICAgd2FpdChzLmRlcGxveSgiUHJvamVjdCBDIiwgImxhdGVzdCIsIGN0eC5lbnYpLCAje3RpbWVvdXQ6ICIzMG0ifSk7CiAgICB9KTsKICAgIGVtYWlsKCN7dG86IHRvLCBzdWJqZWN0OiBgVGhlIHRyYWluIGlzIGxpdmUgaW4gJHtjdHguZW52fWAsIGJvZHk6IGRhc2hib2FyZCgje2VudjogY3R4LmVudn0pfSk7Cn0gY2F0Y2ggKGVycikgewogICAgZW1haWwoI3t0bzogdG8sIHN1YmplY3Q6IGBUaGUgdHJhaW4gc3RvcHBlZCBpbiAke2N0eC5lbnZ9YCwgYm9keTogcHJvYmxlbShlcnIpfSk7CiAgICB0aHJvdzsKfQo=')
foreach ($name in $names) { if ($OctopusParameters.ContainsKey($name)) { $pairs += @($name, [string] $OctopusParameters[$name]) } }
$bytes = [Text.Encoding]::UTF8.GetBytes(($pairs -join "`0") + "`0")
$start = New-Object Diagnostics.ProcessStartInfo -ArgumentList $binary, 'step run'
$start.UseShellExecute = $false
$start.RedirectStandardInput = $true
$start.WorkingDirectory = (Get-Location).ProviderPath
$start.EnvironmentVariables['NO_COLOR'] = '1'
$process = [Diagnostics.Process]::Start($start)
$process.StandardInput.BaseStream.Write($bytes, 0, $bytes.Length)
$process.StandardInput.BaseStream.Close()
$process.WaitForExit()
exit $process.ExitCode
