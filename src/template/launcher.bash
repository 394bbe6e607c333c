# octorhai: the launcher of `@NAME@` in Bash. All logic is in the program; this finds it and hands on the variables it needs.
prefix='@PREFIX@'
secrets=$'@SECRETS@'
names=(
@VARIABLES@
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
  printf '%s\0' '@protocol' 1 '@secrets' "$secrets" '@template' '@TEMPLATE@' '@prefix' "$prefix" '@name' '@NAME@'
  printf '%s\0' '@script' '@SCRIPT@'@FILES@
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
