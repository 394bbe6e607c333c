# octorhai: the launcher of `master-project.rhai` in Bash. All logic is in the program; this finds it and hands on the variables it needs.
prefix='Octorhai.MasterProject'
secrets=$'Octorhai.MasterProject.Server.ApiKey\nOctorhai.MasterProject.Server.AccessToken\nOctorhai.MasterProject.Mail.Server\nOctorhai.MasterProject.Server.Account.OpenIdConnect.Jwt'
names=(
  'Octopus.Action.ExecutionTimeout.Minutes' 'Octopus.Action.FailScriptOnErrorOutput' 'Octopus.Action.Id' 'Octopus.Action.Name' 'Octopus.Deployment.CreatedBy.DisplayName' 'Octopus.Deployment.CreatedBy.Username' 'Octopus.Deployment.Id' 'Octopus.Deployment.Tenant.Id' 'Octopus.Deployment.Tenant.Name' 'Octopus.Environment.Id' 'Octopus.Environment.Name' 'Octopus.Machine.Id' 'Octopus.Machine.Name' 'Octopus.Project.Id' 'Octopus.Project.Name' 'Octopus.Release.Channel.Name' 'Octopus.Release.Id' 'Octopus.Release.Number' 'Octopus.RunbookRun.Id' 'Octopus.Runbook.Name' 'Octopus.Space.Id' 'Octopus.Space.Name' 'Octopus.Step.Name' 'Octopus.Task.ConcurrencyTag' 'Octopus.Task.Id' 'Octopus.Web.BaseUrl' 'Octopus.Web.ServerUri' 'Octopus.WorkerPool.Id' 'OctopusBypassDeploymentMutex'
  'Octorhai.MasterProject.NotifyTo' 'Octorhai.MasterProject.WhenBusy' 'Octorhai.MasterProject.Server.ApiKey' 'Octorhai.MasterProject.Server.AccessToken' 'Octorhai.MasterProject.Server.Url' 'Octorhai.MasterProject.Mail.Server' 'Octorhai.MasterProject.Mail.From' 'Octorhai.MasterProject.Server.Account.Audience' 'Octorhai.MasterProject.Server.Account.OpenIdConnect.Jwt'
)
fail() {
  echo "##octopus[stdout-error]"; echo "octorhai: $1"; echo "##octopus[stdout-default]"
  echo "##octopus[resultMessage message='$(printf %s "octorhai: $1" | base64 | tr -d '\n')']"
  exit 2
}
if ! declare -F get_octopusvariable > /dev/null; then
  fail 'this is no script step with Octopus variables; in raw scripting there are none: switch OctopusUseRawScript off'
fi
# Writes name and value of a variable that is set, each ended by NUL, with builtins only: no secret is on a command line.
if [[ "$(declare -p octopus_parameters 2> /dev/null)" == 'declare -A'* ]]; then
  pair() { if [[ -n "${octopus_parameters[$1]+set}" ]]; then printf '%s\0' "$1" "${octopus_parameters[$1]}"; fi; }
else
  command -v openssl > /dev/null || fail 'openssl is missing on this worker: Octopus needs it to read variables in Bash'
  # A name that is not set reads as one newline, an empty value as nothing; the dot keeps newlines at the end.
  pair() {
    local value; value=$(get_octopusvariable "$1"; printf .); value=${value%.}
    if [[ "$value" != $'\n' ]]; then printf '%s\0' "$1" "$value"; fi
  }
fi
read_one() { local name value; { IFS= read -r -d '' name && IFS= read -r -d '' value; } < <(pair "$1"); printf %s "$value"; }
frame() {
  printf '%s\0' '@protocol' 1 '@secrets' "$secrets" '@template' 'ffb848d7-fd9d-571d-98a7-2bceb967c488 1' '@prefix' "$prefix" '@name' 'master-project.rhai'
  printf '%s\0' '@script' 'Ly8gc2NyaXB0cy9tYXN0ZXItcHJvamVjdC5yaGFpOiBBIGFuZCBCLCBtYWlsLCBDOyBpZiBDIGZhaWxzLCB0aGUgb2xkZXIgQSBhbmQgQiBjb21lIGJhY2sKbGV0IHRvID0gcGFyYW0oIk5vdGlmeVRvIiwgInRlYW1AZXhhbXBsZS5jb20iLCAje2xhYmVsOiAiV2hvIGdldHMgdGhlIG1haWxzIn0pOwpvbmx5X29uZSgje3dhaXRfdXBfdG86ICIzaCIsIG9uX2J1c3k6IHBhcmFtKCJXaGVuQnVzeSIsICJ3YWl0IiwgI3tsYWJlbDogIldoYXQgYSBzZWNvbmQgdHJhaW4gZG9lcyIsIGNob2ljZXM6IFsid2FpdCIsICJza2lwIiwgImZhaWwiLCAicmVxdWV1ZSJdfSl9KTsKdHJ5IHsKICAgIHNhZ2EofHN8IHsKICAgICAgICB3YWl0KFtzLmRlcGxveSgiUHJvamVjdCBBIiwgImxhdGVzdCIsIGN0eC5lbnYpLCBzLmRlcGxveSgiUHJvamVjdCBCIiwgImxhdGVzdCIsIGN0eC5lbnYpXSwgI3t0aW1lb3V0OiAiNDVtIiwgZmFpbF9mYXN0OiB0cnVlfSk7CiAgICAgICAgZW1haWwoI3t0bzogdG8sIHN1YmplY3Q6IGBBIGFuZCBCIGFyZSBsaXZlIGluICR7Y3R4LmVudn1gLCBib2R5OiByZXBvcnQoZGFzaGJvYXJkKCN7ZW52OiBjdHguZW52fSkpfSk7CiAgICAgICAgd2FpdChzLmRlcGxveSgiUHJvamVjdCBDIiwgImxhdGVzdCIsIGN0eC5lbnYpLCAje3RpbWVvdXQ6ICIzMG0ifSk7CiAgICB9KTsKICAgIGVtYWlsKCN7dG86IHRvLCBzdWJqZWN0OiBgVGhlIHRyYWluIGlzIGxpdmUgaW4gJHtjdHguZW52fWAsIGJvZHk6IGRhc2hib2FyZCgje2VudjogY3R4LmVudn0pfSk7Cn0gY2F0Y2ggKGVycikgewogICAgZW1haWwoI3t0bzogdG8sIHN1YmplY3Q6IGBUaGUgdHJhaW4gc3RvcHBlZCBpbiAke2N0eC5lbnZ9YCwgYm9keTogcHJvYmxlbShlcnIpfSk7CiAgICB0aHJvdzsKfQo='
  local name
  for name in "${names[@]}"; do pair "$name"; done
}
case "$(uname -sm)" in
  'Linux x86_64') platform=linux-x64 ;;
  'Linux aarch64') platform=linux-arm64 ;;
  *) fail "there is no octorhai for $(uname -sm) in the package" ;;
esac
package=$(read_one "Octopus.Action.Package[$prefix.Package].ExtractedPath")
given=$(read_one "$prefix.BinaryPath")
case "$given" in '#'\{*\}) given= ;; esac
if [[ -n "$package" && -f "$package/$platform/octorhai" ]]; then binary=$package/$platform/octorhai
elif [[ -n "$given" ]]; then binary=$given
else binary=$(command -v octorhai) || fail "no octorhai: choose the package in $prefix.Package, or give a path in $prefix.BinaryPath"
fi
[[ -f "$binary" ]] || fail "there is no file $binary"
[[ -x "$binary" ]] || chmod +x "$binary" || fail "$binary may not be run"
version=$("$binary" --version < /dev/null) || fail "$binary does not run on this worker"
echo "##octopus[stdout-verbose]"; echo "$version, $binary"; echo "##octopus[stdout-default]"
export NO_COLOR=1
exec "$binary" step run 3< <(frame)
