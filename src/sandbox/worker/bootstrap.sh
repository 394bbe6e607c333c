#!/bin/bash
sensitiveVariableKey=$1
shift
function decrypt_variable {
  printf '%s' "$1" | openssl enc -a -A -d -aes-256-cbc -nosalt -K "$sensitiveVariableKey" -iv "$2"
}
function encode_servicemessagevalue { printf '%s' "$1" | openssl enc -base64 -A; }
function set_octopusvariable {
  local MESSAGE="##octopus[setVariable"
  if [ -n "$1" ]; then MESSAGE="$MESSAGE name='$(encode_servicemessagevalue "$1")'"; fi
  if [ -n "$2" ]; then MESSAGE="$MESSAGE value='$(encode_servicemessagevalue "$2")'"; fi
  if [ "$3" = "-sensitive" ]; then MESSAGE="$MESSAGE sensitive='$(encode_servicemessagevalue "True")'"; fi
  echo "$MESSAGE]"
}
function fail_step {
  if [ -n "$1" ]; then echo "##octopus[resultMessage message='$(encode_servicemessagevalue "$1")']"; fi
  exit 1
}
function new_octopusartifact {
  echo "##octopus[createArtifact path='$(encode_servicemessagevalue "$(realpath "$1")")' name='$(encode_servicemessagevalue "${2:-$(basename "$1")}")' length='$(encode_servicemessagevalue "$(wc -c < $1)")']"
}
function update_progress { echo "##octopus[progress percentage='$(encode_servicemessagevalue "$1")' message='$(encode_servicemessagevalue "$2")']"; }
function write_verbose { echo "##octopus[stdout-verbose]"; echo $1; echo "##octopus[stdout-default]"; }
function write_warning { echo "##octopus[stdout-warning]"; echo $1; echo "##octopus[stdout-default]"; }
function write_highlight { echo "##octopus[stdout-highlight]"; echo $1; echo "##octopus[stdout-default]"; }
function write_wait { echo "##octopus[stdout-wait]"; echo $1; echo "##octopus[stdout-default]"; }
echo "##octopus[mask value='$(encode_servicemessagevalue "$sensitiveVariableKey")']"
echo "##octopus[mask value='$(encode_servicemessagevalue "$sensitiveVariableKey")']" >&2
source ./Configure.sh
source ./Script.sh "$@"
