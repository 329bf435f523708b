#!/bin/bash
# Shell and Python files parse.
set -euo pipefail
failed=0
python=()
while IFS= read -r -d '' file; do
  [ -f "$file" ] || continue
  IFS= read -r -n 60 first < "$file" || true
  case $first in
    '#!/bin/sh'*) sh -n "$file" || failed=1 ;;
    '#!/bin/bash'*) bash -n "$file" || failed=1 ;;
  esac
  case $file in
    *.py) python+=("$file") ;;
  esac
done < <(git -c safe.directory='*' ls-files -z)
python3 -B - "${python[@]}" <<'P' || failed=1
import ast, sys
failed = False
for file in sys.argv[1:]:
    try:
        ast.parse(open(file, encoding="utf-8").read(), file)
    except (SyntaxError, ValueError) as error:
        print(f"{file}: {error}", file=sys.stderr)
        failed = True
sys.exit(failed)
P
exit $failed
