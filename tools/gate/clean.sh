#!/bin/bash
# Building and testing leaves the tree as it was: nothing outside build/ appears or changes.
set -euo pipefail
git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1 || { echo "skipped: no git tree"; exit 77; }
diff build/check/status-before <(git -c safe.directory='*' status --porcelain) && echo clean
