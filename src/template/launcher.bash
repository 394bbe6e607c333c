# octorhai: the launcher of `@NAME@` in Bash. All logic is in the program: this finds it and hands on the variables it needs.
# Nothing that was set before has a say: aliases, options of the shell, functions that are called like the commands used here.
\unalias -a; set +euxvf +o posix; shopt -u failglob nocasematch; IFS=$' \t\n'
unset -f base64 chmod declare exec exit printf read type uname
names='@VARIABLES@'
octorhai_fail() {
  local text=${1//[[:cntrl:]]/?} coded; text=${text//[#]#/# #}
  coded=$(printf %s "$text" | base64 -w 0 2> /dev/null)
  printf '%s\n' '##octopus[stdout-error]' "octorhai: $text" '##octopus[stdout-default]' @FAILED@
  exit 2
}
declare -F get_octopusvariable > /dev/null || octorhai_fail '@NO_VARIABLES@'
type -P openssl > /dev/null || octorhai_fail 'openssl is missing on this worker: Octopus needs it to read variables in Bash'
{ package=$(get_octopusvariable '@PACKAGE@'); } 2> /dev/null
platform=$(uname -sm)
case $platform in 'Linux x86_64') platform=linux-x64 ;; 'Linux aarch64') platform=linux-arm64 ;; esac
binary=$package/$platform/octorhai
if [[ -z $package || ! -f $binary ]]; then
  { binary=$(get_octopusvariable '@BINARY@'); } 2> /dev/null
  if [[ $binary == *'#'\{* ]]; then octorhai_fail '@UNKNOWN@'; fi
  if [[ -z $binary && -n $package ]]; then
    has=; for one in "$package"/*/octorhai*; do [[ -f $one ]] && one=${one%/*} && has+=" ${one##*/}"; done
    has=${has:-' no platform'}; octorhai_fail "@NO_PLATFORM@"
  fi
  if [[ -z $binary ]]; then binary=$(type -P octorhai) || octorhai_fail '@NOWHERE@'; fi
  if [[ $binary != */* ]]; then binary=./$binary; fi
fi
[[ -f $binary ]] || octorhai_fail "@NO_FILE@"
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
{ said=$("$binary" step run 3< <(printf '%s\0' '@protocol' '@VERSION@' '@probe' ''; octorhai_functions)); } 2> /dev/null
case $said in
  '@KNOWS@') way=octorhai_functions ;;
  '@KNOWS_NOT@') way=octorhai_pairs ;;
  '##octopus['*) printf '%s\n' "$said"; exit 2 ;;
  *) octorhai_fail "@NOT_RUN@" ;;
esac
exec "$binary" step run 3< <({ printf '%s\0' @PAIRS@; $way; } 2> /dev/null)
