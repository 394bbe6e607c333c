# octorhai: the launcher of `@NAME@` in PowerShell. All logic is in the program; this finds it and hands on the variables it needs.
$ErrorActionPreference = 'Stop'
$prefix = '@PREFIX@'
$secrets = @(
@SECRETS@
)
$names = @(
@VARIABLES@
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
$pairs = @('@protocol', '1', '@secrets', ($secrets -join "`n"), '@template', '@TEMPLATE@', '@prefix', $prefix, '@name', '@NAME@')
$pairs += @('@script', '@SCRIPT@')@FILES@
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
