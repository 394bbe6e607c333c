# octorhai: the launcher of `master-project.rhai` in Bash. All logic is in the program: this finds it and hands on the variables it needs.
# Nothing that was set before has a say: aliases, options of the shell, functions that are called like the commands used here.
\unalias -a; set +euxvf +o posix; shopt -u failglob nocasematch; IFS=$' \t\n'
unset -f base64 chmod declare exec exit printf read type uname
names='Octopus.Action.ExecutionTimeout.Minutes Octopus.Action.FailScriptOnErrorOutput Octopus.Action.Id Octopus.Action.Name Octopus.Deployment.CreatedBy.DisplayName Octopus.Deployment.CreatedBy.Username Octopus.Deployment.Id Octopus.Deployment.Tenant.Id Octopus.Deployment.Tenant.Name Octopus.Environment.Id Octopus.Environment.Name Octopus.Machine.Id Octopus.Machine.Name Octopus.Project.Id Octopus.Project.Name Octopus.Release.Channel.Name Octopus.Release.Id Octopus.Release.Number Octopus.RunbookRun.Id Octopus.Runbook.Name Octopus.Space.Id Octopus.Space.Name Octopus.Step.Name Octopus.Task.ConcurrencyTag Octopus.Task.Id Octopus.Web.BaseUrl Octopus.Web.ServerUri Octopus.WorkerPool.Id OctopusBypassDeploymentMutex Octorhai.MasterProject.NotifyTo Octorhai.MasterProject.WhenBusy Octorhai.MasterProject.Server.ApiKey Octorhai.MasterProject.Server.AccessToken Octorhai.MasterProject.Server.Url Octorhai.MasterProject.Mail.Server Octorhai.MasterProject.Mail.From Octorhai.MasterProject.Server.Account.Audience Octorhai.MasterProject.Server.Account.OpenIdConnect.Jwt'
octorhai_fail() {
  local text=${1//[[:cntrl:]]/?} coded; text=${text//[#]#/# #}
  coded=$(printf %s "$text" | base64 -w 0 2> /dev/null)
  printf '%s\n' '##octopus[stdout-error]' "octorhai: $text" '##octopus[stdout-default]' "##octopus[setVariable name='RXhpdENvZGU=' value='Mg==']" "##octopus[setVariable name='RXJyb3IuS2luZA==' value='dXNhZ2U=']" "##octopus[setVariable name='RXJyb3IuTWVzc2FnZQ==' value='${coded}']" "##octopus[resultMessage message='${coded}']"
  exit 2
}
declare -F get_octopusvariable > /dev/null || octorhai_fail 'this script has no Octopus variables, as a raw script has none: switch OctopusUseRawScript off'
type -P openssl > /dev/null || octorhai_fail 'openssl is missing on this worker: Octopus needs it to read variables in Bash'
{ package=$(get_octopusvariable 'Octopus.Action.Package[Octorhai.MasterProject.Package].ExtractedPath'); } 2> /dev/null
platform=$(uname -sm)
case $platform in 'Linux x86_64') platform=linux-x64 ;; 'Linux aarch64') platform=linux-arm64 ;; esac
binary=$package/$platform/octorhai
if [[ -z $package || ! -f $binary ]]; then
  { binary=$(get_octopusvariable 'Octorhai.MasterProject.BinaryPath'); } 2> /dev/null
  if [[ $binary == *'#'\{* ]]; then octorhai_fail 'Octorhai.MasterProject.BinaryPath names a variable that Octopus does not know'; fi
  if [[ -z $binary && -n $package ]]; then
    has=; for one in "$package"/*/octorhai*; do [[ -f $one ]] && one=${one%/*} && has+=" ${one##*/}"; done
    has=${has:-' no platform'}; octorhai_fail "the package in Octorhai.MasterProject.Package has no octorhai for ${platform}, it has${has}"
  fi
  if [[ -z $binary ]]; then binary=$(type -P octorhai) || octorhai_fail 'there is no octorhai: choose the package in Octorhai.MasterProject.Package, or write the path of the program into Octorhai.MasterProject.BinaryPath'; fi
  if [[ $binary != */* ]]; then binary=./$binary; fi
fi
[[ -f $binary ]] || octorhai_fail "there is no file ${binary}: Octorhai.MasterProject.BinaryPath must be the full path of the program"
[[ -x $binary ]] || chmod +x -- "$binary" 2> /dev/null
# The function of Octopus needs 27 ms for each value. It holds all of them as ciphertext: the program decrypts them in no time.
octorhai_functions() {
  printf '%s\0' '@names' "$names" '@key' "$sensitiveVariableKey" '@functions'
  declare -f encode_servicemessagevalue decrypt_variable get_octopusvariable
  printf '%s\0' '' '@end' ''
}
# What always works. A name that is not set reads as one newline, an empty value as nothing; no variable of Bash can hold NUL.
octorhai_pairs() {
  local name value
  for name in $names; do
    if IFS= read -r -d '' value < <(get_octopusvariable "$name"); then printf '%s\0' '@nul' "$name"
    elif [[ $value != $'\n' ]]; then printf '%s\0' "$name" "$value"; fi
  done
  printf '%s\0' '@end' ''
}
export OCTORHAI_FRAME=3
{ said=$("$binary" step run 3< <(printf '%s\0' '@protocol' '2' '@probe' ''; octorhai_functions)); } 2> /dev/null
case $said in
  'octorhai reads functions') way=octorhai_functions ;;
  'octorhai reads pairs') way=octorhai_pairs ;;
  '##octopus['*) printf '%s\n' "$said"; exit 2 ;;
  *) octorhai_fail "${binary} cannot be run here: it is not octorhai for ${platform}, or this user may not run it" ;;
esac
exec "$binary" step run 3< <({ printf '%s\0' '@protocol' '2' '@secrets' 'Octorhai.MasterProject.Server.ApiKey Octorhai.MasterProject.Server.AccessToken Octorhai.MasterProject.Mail.Server Octorhai.MasterProject.Server.Account.OpenIdConnect.Jwt' '@template' 'ffb848d7-fd9d-571d-98a7-2bceb967c488 2' '@prefix' 'Octorhai.MasterProject' '@name' 'master-project.rhai' '@script' 'Ly8gc2NyaXB0cy9tYXN0ZXItcHJvamVjdC5yaGFpOiBBIGFuZCBCLCBtYWlsLCBDOyBpZiBDIGZhaWxzLCB0aGUgb2xkZXIgQSBhbmQgQiBjb21lIGJhY2sKbGV0IHRvID0gcGFyYW0oIk5vdGlmeVRvIiwgInRlYW1AZXhhbXBsZS5jb20iLCAje2xhYmVsOiAiV2hvIGdldHMgdGhlIG1haWxzIn0pOwpvbmx5X29uZSgje3dhaXRfdXBfdG86ICIzaCIsIG9uX2J1c3k6IHBhcmFtKCJXaGVuQnVzeSIsICJ3YWl0IiwgI3tsYWJlbDogIldoYXQgYSBzZWNvbmQgdHJhaW4gZG9lcyIsIGNob2ljZXM6IFsid2FpdCIsICJza2lwIiwgImZhaWwiLCAicmVxdWV1ZSJdfSl9KTsKdHJ5IHsKICAgIHNhZ2EofHN8IHsKICAgICAgICB3YWl0KFtzLmRlcGxveSgiUHJvamVjdCBBIiwgImxhdGVzdCIsIGN0eC5lbnYpLCBzLmRlcGxveSgiUHJvamVjdCBCIiwgImxhdGVzdCIsIGN0eC5lbnYpXSwgI3t0aW1lb3V0OiAiNDVtIiwgZmFpbF9mYXN0OiB0cnVlfSk7CiAgICAgICAgZW1haWwoI3t0bzogdG8sIHN1YmplY3Q6IGBBIGFuZCBCIGFyZSBsaXZlIGluICR7Y3R4LmVudn1gLCBib2R5OiByZXBvcnQoZGFzaGJvYXJkKCN7ZW52OiBjdHguZW52fSkpfSk7CiAgICAgICAgd2FpdChzLmRlcGxveSgiUHJvamVjdCBDIiwgImxhdGVzdCIsIGN0eC5lbnYpLCAje3RpbWVvdXQ6ICIzMG0ifSk7CiAgICB9KTsKICAgIGVtYWlsKCN7dG86IHRvLCBzdWJqZWN0OiBgVGhlIHRyYWluIGlzIGxpdmUgaW4gJHtjdHguZW52fWAsIGJvZHk6IGRhc2hib2FyZCgje2VudjogY3R4LmVudn0pfSk7Cn0gY2F0Y2ggKGVycikgewogICAgZW1haWwoI3t0bzogdG8sIHN1YmplY3Q6IGBUaGUgdHJhaW4gc3RvcHBlZCBpbiAke2N0eC5lbnZ9YCwgYm9keTogcHJvYmxlbShlcnIpfSk7CiAgICB0aHJvdzsKfQo='; $way; } 2> /dev/null)
