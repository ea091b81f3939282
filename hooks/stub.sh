# >>> kittywatch >>>
# Looks whether this operation touched work packages and, if so, lets kittywatch observe.
# `kittywatch hooks uninstall` takes these lines away; KITTYWATCH=0 switches them off for a command.
( # A subshell: what follows this block, another tool's hook maybe, sees none of it.
  [ "${KITTYWATCH-}" != 0 ] || exit 0
  hook='@HOOK@' python='@PYTHON@'

  # Git runs hooks in the worktree's top, where .git is the git directory, or a file that names it.
  git_dir=.git common=
  if [ -n "${GIT_DIR-}" ]; then
    git_dir=$GIT_DIR
  elif [ -f .git ]; then
    IFS= read -r line <.git
    git_dir=${line#gitdir: }
  fi
  observed=$git_dir/kittywatch-observed
  [ -d kitty-specs ] || [ -f "$observed" ] || exit 0

  # In the middle of something there is nothing to see yet; its last hook comes at its end.
  [ ! -e "$git_dir/BISECT_START" ] || exit 0
  if [ "$hook" = post-rewrite ]; then
    [ "${1-}" = rebase ] || [ ! -d "$git_dir/rebase-merge" ] || exit 0
  else
    [ ! -d "$git_dir/rebase-merge" ] && [ ! -d "$git_dir/rebase-apply" ] || exit 0
    if [ -d "$git_dir/sequencer" ]; then # The last of several picks has itself alone left in the list.
      [ "$hook" = post-commit ] || exit 0
      { IFS= read -r line && IFS= read -r line; } <"$git_dir/sequencer/todo" && exit 0
    fi 2>/dev/null
  fi

  # A watcher that runs sees it all. A process number comes round again; with its start time it doesn't.
  alive() { [ "${20-}" = "$started" ] && [ "$1" != T ] && [ "$1" != Z ]; }
  if IFS=' ' read -r number started home <"$git_dir/kittywatch-watcher" &&
    [ "$home" = "${SPEC_KITTY_HOME-}" ] && IFS= read -r state <"/proc/$number/stat"; then
    set -f
    # shellcheck disable=SC2086 # one argument for each field
    alive ${state##*\) } && exit 0
  fi 2>/dev/null

  # No commit since the last look touches kitty-specs/: leave without Python, and look from here the next time.
  # All sides of a merge count. A merge itself is listed whatever it brought: then the commits on its sides are looked
  # at, and whether it took an older state from one of them.
  untouched() {
    found=$(git rev-list -n 1 --full-history --parents "$last...HEAD" -- kitty-specs) || return 1
    [ -n "$found" ] || return 0
    found=$(git rev-list -n 1 --full-history --no-merges "$last...HEAD" -- kitty-specs) && [ -z "$found" ] &&
      git diff-tree --quiet "$last" HEAD -- kitty-specs
  }
  if IFS= read -r last <"$observed" && untouched; then
    IFS= read -r head <"$git_dir/HEAD"
    [ ! -f "$git_dir/commondir" ] || { IFS= read -r common <"$git_dir/commondir" && common=/$common; }
    IFS= read -r tip <"$git_dir$common/${head#ref: }" && printf '%s\n' "$tip" >"$observed"
    exit 0
  fi 2>/dev/null

  # -E -P: neither PYTHONPATH nor the worktree may bring modules.
  [ ! -x "$python" ] || "$python" -E -P -m kittywatch.hook "$hook" "$@" </dev/null >/dev/null
) || :
# <<< kittywatch <<<
