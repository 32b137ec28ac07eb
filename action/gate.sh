#!/bin/sh
# Runs the gate and keeps its report. The verdict never ends this step, so that the report is not lost on the way: the last
# step of the action does.
set -eu

cd "$WORKING_DIRECTORY"
folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/promptops.XXXXXX")
report=$folder/report.md

# Prints files with nothing in them obeyed: answers of models and names of cases are not ours, and the runner takes lines such as
# `::stop-commands::` or `##[add-mask]` for its own. The word that ends this is one that nobody knows beforehand.
show() {
  word=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  echo "::stop-commands::$word"
  cat "$@"
  # A last line without its end would hide the next.
  printf '\n::%s::\n' "$word"
}

# An event that states no base, such as a first push of a branch, is held against the default branch. A commit is never held against
# itself: that would pass whatever it is.
case $BASE in
'' | 0000000000000000000000000000000000000000)
  BASE=
  if [ -n "$DEFAULT_BRANCH" ] && git fetch --quiet --no-tags origin "refs/heads/$DEFAULT_BRANCH"; then
    BASE=$(git rev-parse FETCH_HEAD)
  fi
  if [ -z "$BASE" ] || [ "$BASE" = "$(git rev-parse HEAD)" ]; then
    BASE=
    echo "::error::this event states no base, and the commit is no other than the default branch: give the action \`base\`"
  fi
  ;;
esac
# Parents of versions are read from history, so all of it has to be there.
if [ "$(git rev-parse --is-shallow-repository)" = true ]; then
  git fetch --quiet --unshallow origin || echo "::warning::the history is not whole; check out with \`fetch-depth: 0\`"
fi
if [ -n "$BASE" ] && ! git cat-file -e "$BASE^{commit}" 2>/dev/null; then
  git fetch --quiet --no-tags origin "$BASE" || echo "::warning::the base \`$BASE\` cannot be fetched"
fi

code=0
if [ -n "$BASE" ]; then
  # What the input gives is parted at spaces, and nothing else is made of it.
  set -f
  # shellcheck disable=SC2086
  "$PROMPTOPS" gate --base "$BASE" --replay "$REPLAY" --format markdown --output "$report" $ARGUMENTS \
    >"$folder/out" 2>"$folder/err" || code=$?
  set +f
else
  code=2
  : >"$folder/out"
  echo "error: there is no base to hold this commit against" >"$folder/err"
fi
show "$folder/out" "$folder/err"

case $code in
0) verdict=passed ;;
1) verdict=refused ;;
3) verdict=inconclusive ;;
*) verdict=failed ;;
esac
if [ ! -s "$report" ]; then
  verdict=failed
  {
    echo "## Prompt gate: failed"
    echo
    echo "\`promptops gate\` ended with $code and gave no report."
    echo
    # As code by its indentation, which nothing in it can end.
    head -c 20000 "$folder/err" | tr -d '\r' | sed 's/^/    /'
  } >"$report"
fi

if [ -z "$BASE" ]; then
  : # The checks, too, are held against a base.
elif [ "$SARIF" = true ]; then
  # Findings end this command with 1; anything above means that there are none to hand on.
  found=0
  "$PROMPTOPS" check --base "$BASE" --format sarif >"$folder/promptops.sarif" || found=$?
  if [ "$found" -le 1 ] && [ -s "$folder/promptops.sarif" ]; then
    echo "sarif=$folder/promptops.sarif" >>"$GITHUB_OUTPUT"
  fi
else
  "$PROMPTOPS" check --base "$BASE" --format github || true
fi

# GitHub drops a summary of more than a mebibyte as a whole.
head -c 1000000 "$report" >>"$GITHUB_STEP_SUMMARY"
{
  echo "exit-code=$code"
  echo "verdict=$verdict"
  echo "report=$report"
} >>"$GITHUB_OUTPUT"
