#!/bin/bash
# What a worker defines for a body in Bash. Names, messages and flaws are those of the agent, for scripts and launchers live with them:
# unquoted words, globals that stay behind, names that nobody defines. What each one does is compared with the agent's by a test.

sensitiveVariableKey=$1

function encode_servicemessagevalue { echo -n "$1" | openssl enc -base64 -A; }
function decode_servicemessagevalue { echo -n "$1" | openssl enc -base64 -A -d; }

# On both streams, for nobody knows which one the server reads first.
function __mask_sensitive_value {
  local said="##octopus[mask value='$(encode_servicemessagevalue "$1")']"
  echo "$said"
  echo "$said" >&2
}
__mask_sensitive_value $sensitiveVariableKey

function decrypt_variable { echo $1 | openssl enc -a -A -d -aes-256-cbc -nosalt -K $sensitiveVariableKey -iv $2; }

function get_octopusvariable {
  INPUT=$(encode_servicemessagevalue "$1")
  case $INPUT in
@VARIABLES@
    *) echo "" ;;
  esac
}

function fail_step {
  [ -z "${1:-}" ] || echo "##octopus[resultMessage message='$(encode_servicemessagevalue "$1")']"
  exit 1
}

function set_octopusvariable {
  MESSAGE="##octopus[setVariable"
  if [ -n "$1" ]; then MESSAGE="$MESSAGE name='$(encode_servicemessagevalue "$1")'"; fi
  if [ -n "$2" ]; then MESSAGE="$MESSAGE value='$(encode_servicemessagevalue "$2")'"; fi
  if [ "${3:-}" = "-sensitive" ]; then MESSAGE="$MESSAGE sensitive='$(encode_servicemessagevalue True)'"; fi
  MESSAGE="$MESSAGE]"
  echo $MESSAGE
}

function set_environmentstate {
  MESSAGE="##octopus[set-environmentstate"
  if [ -n "$1" ]; then MESSAGE="$MESSAGE key='$(encode_servicemessagevalue "$1")'"; fi
  if [ -n "$2" ]; then MESSAGE="$MESSAGE value='$(encode_servicemessagevalue "$2")'"; fi
  if [ "${3:-}" = "-sensitive" ]; then MESSAGE="$MESSAGE sensitive='$(encode_servicemessagevalue True)'"; fi
  MESSAGE="$MESSAGE type='$(encode_servicemessagevalue "${4:-State}")']"
  echo $MESSAGE
}
function set_environmenturl { set_environmentstate "$1" "$2" "" "Url"; }

function new_octopusartifact {
  echo "Collecting $1 as an artifact..."
  if [ ! -e "$1" ]; then
    error_exit $PROGNAME $LINENO "\"$(1)\" does not exist." $E_FILE_NOT_FOUND
    exit $?
  fi
  pth=$(cd "$(dirname "$1")"; pwd -P)/$(basename "$1")
  ofn=${2:-$(basename "$pth")}
  len=$(wc -c < $1 )
  echo "##octopus[stdout-verbose]"
  echo "Artifact $ofn will be collected from $pth after this step completes"
  echo "##octopus[stdout-default]"
  echo "##octopus[createArtifact path='$(encode_servicemessagevalue "$pth")' name='$(encode_servicemessagevalue "$ofn")' length='$(encode_servicemessagevalue $len)']"
}

function remove-octopustarget { echo "##octopus[delete-target machine='$(encode_servicemessagevalue "$1")']"; }

function new_octopustarget() (
  parameters=""
  function add { parameters="$parameters $1='$(encode_servicemessagevalue "$2")'"; }
  while :; do
    case "$1" in
      -n | --name) add name "$2"; shift 2 ;;
      -t | --target-id) add targetId "$2"; shift 2 ;;
      --inputs) add inputs "$2"; shift 2 ;;
      --roles) add octopusRoles "$2"; shift 2 ;;
      --worker-pool) add octopusDefaultWorkerPoolIdOrName "$2"; shift 2 ;;
      --update-if-existing) add updateIfExisting true; shift ;;
      --) shift; break ;;
      -*) echo "Error: Unknown option: $1" >&2; exit 1 ;;
      *) break ;;
    esac
  done
  echo "##octopus[createStepPackageTarget ${parameters}]"
)

function update_progress { echo "##octopus[progress percentage='$(encode_servicemessagevalue "$1")' message='$(encode_servicemessagevalue "$2")']"; }

function write_verbose { echo "##octopus[stdout-verbose]"; echo $1; echo "##octopus[stdout-default]"; }
function write_highlight { echo "##octopus[stdout-highlight]"; echo $1; echo "##octopus[stdout-default]"; }
function write_wait { echo "##octopus[stdout-wait]"; echo $1; echo "##octopus[stdout-default]"; }
function write_warning { echo "##octopus[stdout-warning]"; echo $1; echo "##octopus[stdout-default]"; }

function log_environment_information {
  suppressEnvironmentLogging=$(get_octopusvariable "Octopus.Action.Script.SuppressEnvironmentLogging")
  if [ "$suppressEnvironmentLogging" == "True" ]; then return 0; fi
  currentDirectory="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
  tempDirectory=$(dirname $(mktemp -u))
  echo "##octopus[stdout-verbose]"
  echo "Bash Environment Information:"
  echo "  OperatingSystem: $(uname -a)"
  echo "  CurrentUser: $(whoami)"
  echo "  HostName: $(hostname)"
  echo "  ProcessorCount: $(getconf _NPROCESSORS_ONLN)"
  echo "  CurrentDirectory: $currentDirectory"
  echo "  TempDirectory: $tempDirectory"
  echo "  HostProcessID: $$"
  echo "##octopus[stdout-default]"
}
log_environment_information

# Names and values, each with a NUL behind it.
function decrypt_and_parse_variables {
  declare -gA octopus_parameters=()
  local -a _kv
  mapfile -d "" _kv < <(echo "$1" | openssl enc -aes-256-cbc -d -a -A -nosalt -K "$sensitiveVariableKey" -iv "$2")
  local i
  for (( i = 0; i < ${#_kv[@]}; i += 2 )); do
    if [ -n "${_kv[i]}" ]; then octopus_parameters["${_kv[i]}"]="${_kv[i+1]:-}"; fi
  done
}

function _ensure_octopus_parameters_loaded {
  bashParametersArrayFeatureToggle=@TOGGLE@
  if [ "$bashParametersArrayFeatureToggle" = true ] && (( BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 403 )); then
    decrypt_and_parse_variables "@ARRAY@" "@ARRAY_IV@"
  fi
}

function report_kubernetes_manifest {
  MANIFEST="$1"
  NAMESPACE="$2"
  LINES=()
  while IFS= read -r LINE; do LINES+=("$LINE"); done <<< "$MANIFEST"
  MANIFESTS=()
  CURRENT=""
  for LINE in "${LINES[@]}"; do
    if [ "$(echo "$LINE" | xargs)" = "---" ]; then MANIFESTS+=("$CURRENT"); CURRENT=""; else CURRENT="$CURRENT$LINE"$'\n'; fi
  done
  MANIFESTS+=("$CURRENT")
  for mf in "${MANIFESTS[@]}"; do
    if [ -z "$mf" ]; then continue; fi
    MESSAGE="##octopus[k8s-manifest-applied manifest='$(encode_servicemessagevalue "$mf")'"
    if [ -n "$NAMESPACE" ]; then MESSAGE="$MESSAGE ns='$(encode_servicemessagevalue "$NAMESPACE")'"; fi
    MESSAGE="$MESSAGE]"
    echo "$MESSAGE"
  done
}

function report_kubernetes_manifest_file {
  FULL_PATH="$1"
  NAMESPACE="$2"
  if [ ! -f "$FULL_PATH" ]; then write_verbose "No Kubernetes manifest file was found at '$FULL_PATH'."; return; fi
  MANIFEST=$(cat "$FULL_PATH")
  report_kubernetes_manifest "$MANIFEST" "$NAMESPACE"
}

scriptUsesOctopusParameters=@USED@
if [ "$scriptUsesOctopusParameters" = true ]; then _ensure_octopus_parameters_loaded; fi
