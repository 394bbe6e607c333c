param([string]$OctopusKey = '')
# What a worker defines for a body in PowerShell. Names, messages and habits are those of the agent, for scripts and launchers live with
# them; what each one does is compared with the agent's by a test.
$ErrorActionPreference = 'Stop'
$PSNativeCommandArgumentPassing = 'Legacy'

function Log-VersionTable { Write-Verbose ($PSVersionTable | Out-String -Width 200) }

function Log-EnvironmentInformation {
    if ($OctopusParameters['Octopus.Action.Script.SuppressEnvironmentLogging'] -eq 'True') { return }
    Write-Host '##octopus[stdout-verbose]'
    Write-Host 'PowerShell Environment Information:'
    SafelyLog-EnvironmentVars
    SafelyLog-PathVars
    SafelyLog-ProcessVars
    SafelyLog-ComputerInfoVars
    Write-Host '##octopus[stdout-default]'
}

# Each of them ends at the first thing that the platform does not have.
function SafelyLog-EnvironmentVars {
    try {
        Write-Host "  OperatingSystem: $([Environment]::OSVersion)"
        Write-Host "  OsBitVersion: $(if ([Environment]::Is64BitOperatingSystem) { 'x64' } else { 'x86' })"
        Write-Host "  Is64BitProcess: $([Environment]::Is64BitProcess)"
        $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
        Write-Host "  CurrentUser: $($identity.Name)"
        Write-Host "  MachineName: $([Environment]::MachineName)"
        Write-Host "  ProcessorCount: $([Environment]::ProcessorCount)"
    } catch { }
}

function SafelyLog-PathVars {
    try {
        Write-Host "  CurrentDirectory: $([IO.Directory]::GetCurrentDirectory())"
        Write-Host "  CurrentLocation: $(Get-Location)"
        Write-Host "  TempDirectory: $([IO.Path]::GetTempPath())"
    } catch { }
}

function SafelyLog-ProcessVars {
    try {
        $own = [Diagnostics.Process]::GetCurrentProcess()
        Write-Host "  HostProcess: $($own.ProcessName) ($($own.Id))"
    } catch { }
}

function SafelyLog-ComputerInfoVars {
    try {
        $system = Get-WmiObject Win32_OperatingSystem
        Write-Host "  TotalPhysicalMemory: $($system.TotalVisibleMemorySize) KB"
        Write-Host "  AvailablePhysicalMemory: $($system.FreePhysicalMemory) KB"
    } catch { }
}

function Import-ScriptModule([string]$moduleName, [string]$moduleFilePath) {
    try {
        Write-Verbose "Importing Script Module '$moduleName' from '$moduleFilePath'"
        Import-Module -DisableNameChecking $moduleFilePath
    } catch {
        [Console]::Error.WriteLine("Failed to import Script Module '$moduleName' from '$moduleFilePath'")
        [Console]::Error.WriteLine("$($error[0].CategoryInfo.Category): $($error[0].Exception.Message)")
        [Console]::Error.WriteLine($error[0].InvocationInfo.PositionMessage)
        [Console]::Error.WriteLine($error[0].ScriptStackTrace)
        if ($null -ne $error[0].ErrorDetails) { [Console]::Error.WriteLine($error[0].ErrorDetails.Message) }
        exit 1
    }
}

function Convert-ServiceMessageValue([string]$value) { return [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($value)) }
function Convert-ToServiceMessageParameter([string]$name, [string]$value) { return "$name='$(Convert-ServiceMessageValue $value)'" }

function Set-OctopusVariable([string]$name, [string]$value, [switch]$sensitive) {
    $attributes = "name='$(Convert-ServiceMessageValue $name)' value='$(Convert-ServiceMessageValue $value)'"
    if ($sensitive) { $attributes += " sensitive='$(Convert-ServiceMessageValue 'True')'" }
    Write-Host "##octopus[setVariable $attributes]"
}

function Set-EnvironmentState([string]$key, [string]$value, [switch]$sensitive, [string]$type = 'State') {
    $attributes = "key='$(Convert-ServiceMessageValue $key)' value='$(Convert-ServiceMessageValue $value)'"
    if ($sensitive) { $attributes += " sensitive='$(Convert-ServiceMessageValue 'True')'" }
    Write-Host "##octopus[set-environmentstate $attributes type='$(Convert-ServiceMessageValue $type)']"
}
function Set-EnvironmentUrl([string]$key, [string]$url) { Set-EnvironmentState -Key $key -Value $url -Type 'Url' }

function Remove-OctopusTarget([string] $targetIdOrName) {
    Write-Host "##octopus[delete-target $(Convert-ToServiceMessageParameter -name 'machine' -value $targetIdOrName)]"
}

function New-OctopusTarget {
    [CmdletBinding()]
    param(
        [Parameter(ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true, Mandatory = $true)][string]$Name,
        [Parameter(ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true, Mandatory = $true)][string]$TargetId,
        [Parameter(ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true, Mandatory = $true)][string]$Inputs,
        [Parameter(ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true, Mandatory = $true)][string]$Roles,
        [Parameter(ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)][string]$WorkerPoolIdOrName = '',
        [Parameter(ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)][switch]$UpdateIfExisting
    )
    process {
        $all = [ordered]@{
            name = $Name; targetId = $TargetId; inputs = $Inputs; octopusRoles = $Roles
            octopusDefaultWorkerPoolIdOrName = $WorkerPoolIdOrName; updateIfExisting = $UpdateIfExisting
        }
        $attributes = foreach ($pair in $all.GetEnumerator()) { Convert-ToServiceMessageParameter -name $pair.Key -value $pair.Value }
        Write-Host "##octopus[createStepPackageTarget  $($attributes -join ' ')]"
    }
}

function Fail-Step([string] $message) {
    if ($message) { Write-Host "##octopus[resultMessage message='$(Convert-ServiceMessageValue $message)']" }
    exit -1
}

function New-OctopusArtifact {
    [CmdletBinding()]
    param(
        [Parameter(ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)][Alias('fullname')][Alias('path')][string]$fullpath,
        [Parameter(ValueFromPipeline = $true, ValueFromPipelineByPropertyName = $true)][string]$name = '"'
    )
    process {
        if (-not (Test-Path $fullpath)) {
            Write-Verbose "There is no file at '$fullpath' right now. Writing the service message just in case the file is available when the artifacts are collected at a later point in time."
        }
        if ($name -eq '"') { $name = [IO.Path]::GetFileName($fullpath) }
        $length = ([IO.FileInfo]$fullpath).Length
        if (!$length) { $length = 0 }
        $fullpath = [IO.Path]::GetFullPath($ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($fullpath))
        Write-Verbose "Artifact $name will be collected from $fullpath after this step completes"
        Write-Host "##octopus[createArtifact path='$(Convert-ServiceMessageValue $fullpath)' name='$(Convert-ServiceMessageValue $name)' length='$(Convert-ServiceMessageValue $length.ToString())']"
    }
}

function Report-KubernetesManifest {
    [CmdletBinding()]
    param ([Parameter(ValueFromPipeline = $true)][string] $manifest, [string] $namespace)
    foreach ($one in $manifest -split "---\s*[\r|\n|\r\n]?") {
        if ([string]::IsNullOrWhiteSpace($one)) { continue }
        $attributes = "manifest='$(Convert-ServiceMessageValue $one)'"
        if (![string]::IsNullOrWhiteSpace($namespace)) { $attributes += " ns='$(Convert-ServiceMessageValue $namespace)'" }
        Write-Host "##octopus[k8s-manifest-applied $attributes]"
    }
}

function Report-KubernetesManifestFile {
    [CmdletBinding()]
    param ([Parameter(ValueFromPipeline = $true)][string] $path, [string] $namespace)
    if (-not (Test-Path $path)) {
        Write-Verbose "No Kubernetes manifest file was found at '$path'."
        return
    }
    Report-KubernetesManifest -manifest (Get-Content -Path $path -Raw) -namespace $namespace
}

function Update-Progress {
    [CmdletBinding()]
    param([int] $percentage, [Parameter(ValueFromPipeline = $true)][string]$message)
    process { Write-Host "##octopus[progress percentage='$(Convert-ServiceMessageValue $percentage)' message='$(Convert-ServiceMessageValue $message)']" }
}

function Write-Debug {
    [CmdletBinding()]
    param([Parameter(ValueFromPipeline = $true)][string]$message)
    process { Write-Verbose $message }
}

function Write-Verbose {
    [CmdletBinding()]
    param([Parameter(ValueFromPipeline = $true)][string]$message)
    begin { Write-Host '##octopus[stdout-verbose]' }
    process { Write-Host $message }
    end { Write-Host '##octopus[stdout-default]' }
}

function Write-Highlight {
    [CmdletBinding()]
    param([Parameter(ValueFromPipeline = $true)][string]$message)
    begin { Write-Host '##octopus[stdout-highlight]' }
    process { Write-Host $message }
    end { Write-Host '##octopus[stdout-default]' }
}

function Write-Wait {
    [CmdletBinding()]
    param([Parameter(ValueFromPipeline = $true)][string]$message)
    begin { Write-Host '##octopus[stdout-wait]' }
    process { Write-Host $message }
    end { Write-Host '##octopus[stdout-default]' }
}

function Write-Warning() {
    [CmdletBinding()]
    param([Parameter(ValueFromPipeline = $true)][string]$message)
    begin { Write-Host '##octopus[stdout-warning]' }
    process { if ($WarningPreference -ne 'SilentlyContinue') { Write-Host $message } }
    end { Write-Host '##octopus[stdout-default]' }
}

# A line for each variable: name and value in base64, with a dollar between them.
function Decrypt-Variables($iv, $Encrypted) {
    $parameters = New-Object 'System.Collections.Generic.Dictionary[String,String]' (, [StringComparer]::OrdinalIgnoreCase)
    $cipher = [Security.Cryptography.Aes]::Create()
    $cipher.Key = [Convert]::FromBase64String($OctopusKey)
    $cipher.IV = [Convert]::FromBase64String($iv)
    $bytes = [Convert]::FromBase64String($Encrypted)
    $plain = [Text.Encoding]::UTF8.GetString($cipher.CreateDecryptor().TransformFinalBlock($bytes, 0, $bytes.Length))
    $cipher.Dispose()
    foreach ($line in $plain.Split("`n", [StringSplitOptions]::RemoveEmptyEntries)) {
        $name, $value = foreach ($part in $line.Split('$')) { [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($part)) }
        $parameters[$name] = $value
    }
    return $parameters
}

# The worker has no proxy.
function Initialize-ProxySettings() {
    $proxy = New-Object System.Net.WebProxy
    $proxy.Credentials = [System.Net.CredentialCache]::DefaultCredentials
    $global:OctopusProxy = $proxy
    [System.Net.WebRequest]::DefaultWebProxy = $proxy
    if ($PSVersionTable.PSVersion.Major -ge 7) { [System.Net.Http.HttpClient]::DefaultProxy = $proxy }
}

function Execute-WithRetry([ScriptBlock] $command, [int] $maxFailures = 3, [int] $sleepBetweenFailures = 1) {
    for ($attempt = 1; $attempt -le $maxFailures; $attempt++) {
        if ($attempt -ge 2) {
            Write-Host "Waiting for $sleepBetweenFailures seconds before retrying..."
            Start-Sleep -s $sleepBetweenFailures
            Write-Host 'Retrying...'
        }
        try {
            & $command
            return
        } catch [System.Exception] {
            if ($attempt -ge $maxFailures) { throw }
            Write-Host "Attempt $attempt of $maxFailures failed: $($_.Exception.Message)"
        }
    }
}

function Import-CalamariModules() {
    if (-not $OctopusParameters.ContainsKey('Octopus.Calamari.Bootstrapper.ModulePaths')) { return }
    foreach ($path in $OctopusParameters['Octopus.Calamari.Bootstrapper.ModulePaths'].Split(';', [StringSplitOptions]::RemoveEmptyEntries)) {
        if ($path.EndsWith('.psd1')) { Import-Module -Name $path } else { $env:PSModulePath = "$path;$env:PSModulePath" }
    }
}

function ConvertTo-QuotedString([string]$arg) { "`"$arg`"" }

function ConvertTo-ConsoleEscapedArgument([string]$arg) {
    # Backslashes before a quote are doubled, quotes get one, and so do those at the end, with a stray quote behind them.
    $arg = $arg -replace '(\\+)+"', '$1$1"'
    $arg = $arg.Replace('"', '\"')
    return $arg -replace '(\\+)+$', '$1$1"'
}

function ConvertTo-PowershellEscapedArgument([string]$arg) { return $arg.Replace('`', '``').Replace('[', '`[') }

Log-VersionTable

$MaximumVariableCount = 32768
$OctopusParameters = Decrypt-Variables '@IV@' @'
@VARIABLES@
'@

@LOCALS@
@MODULES@
Initialize-ProxySettings
Log-EnvironmentInformation
Import-CalamariModules

try {
    . '@BODY@' @PARAMETERS@
} catch {
    [Console]::Error.WriteLine("$($error[0].CategoryInfo.Category): $($error[0].Exception.Message)")
    [Console]::Error.WriteLine($error[0].InvocationInfo.PositionMessage)
    [Console]::Error.WriteLine($error[0].ScriptStackTrace)
    if ($null -ne $error[0].ErrorDetails) { [Console]::Error.WriteLine($error[0].ErrorDetails.Message) }
    exit 1
}
if (Test-Path variable:global:lastexitcode) { exit $LastExitCode }
