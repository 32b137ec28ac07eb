#!/bin/sh
# Puts the report into the comment of this gate. Without a comment the report is in the summary of the run, so nothing that goes
# wrong here ends the job.
set -eu

code=0
"$PROMPTOPS" comment github "$REPORT" --key "$KEY" --author "$AUTHOR" || code=$?
case $code in
0) ;;
6) echo "::notice::the report is in the summary of this run alone: the token may not comment, as in a pull request from a fork, or GitHub does not answer" ;;
*) echo "::warning::the report is in the summary of this run alone: commenting ended with $code" ;;
esac
