# >>> kittywatch >>>
# Looks whether this operation touched work packages and, if so, lets kittywatch observe.
# `kittywatch hooks uninstall` takes these lines away; KITTYWATCH=0 switches them off for a command.
kittywatch_hook() { # A function: it returns early, and costs no process of its own.
  kw_hook='@HOOK@' kw_python='@PYTHON@' kw_common=

  # Git runs hooks in the worktree's top, where .git is the git directory, or a file that names it.
  kw_git=${GIT_DIR:-.git}
  # In the middle of a rebase, which runs hooks for each commit, there is nothing to see yet: first of all, leave.
  if [ -d "$kw_git/rebase-merge" ]; then [ "$kw_hook ${1-}" = 'post-rewrite rebase' ] || return 0; fi
  [ "${KITTYWATCH-}" != 0 ] || return 0
  if [ -f "$kw_git" ]; then
    IFS= read -r kw_line <"$kw_git"
    kw_git=${kw_line#gitdir: }
    if [ -d "$kw_git/rebase-merge" ]; then [ "$kw_hook ${1-}" = 'post-rewrite rebase' ] || return 0; fi
  fi
  kw_observed=$kw_git/kittywatch-observed
  [ -f "$kw_observed" ] || [ -d kitty-specs ] || [ -d .kittify ] || [ -d backlog ] || [ -d specs ] ||
    [ -d openspec ] || [ -d .taskmaster ] || [ -d _bmad-output ] || [ -f sprint-status.yaml ] || return 0

  # The same for whatever else has a last hook at its end.
  [ ! -e "$kw_git/BISECT_START" ] || return 0
  if [ "$kw_hook" != post-rewrite ]; then
    [ ! -d "$kw_git/rebase-apply" ] || return 0
    if [ -d "$kw_git/sequencer" ]; then # The last of several picks has itself alone left in the list.
      [ "$kw_hook" = post-commit ] || return 0
      { IFS= read -r kw_line && IFS= read -r kw_line; } <"$kw_git/sequencer/todo" && return 0
    fi 2>/dev/null
  fi

  # A watcher that runs sees it all, and hears by a file that it looks for a hook: at each commit, as a hook does.
  # A process number comes round again; with its start time it doesn't.
  if IFS=' ' read -r kw_number kw_started kw_home <"$kw_git/kittywatch-watcher" &&
    [ "$kw_home" = "${SPEC_KITTY_HOME-}" ] && IFS= read -r kw_state <"/proc/$kw_number/stat"; then
    # shellcheck disable=SC2086 # one argument for each field
    kittywatch_alive ${kw_state##*\) } && : >"$kw_git/kittywatch-hooked" && return 0
  fi 2>/dev/null

  # No commit since the last look touches what states lanes: leave without Python, and look from here the next time.
  # Who leaves another commit than that one with a checkout leaves something that nobody has looked at. A configuration
  # that was written since may say that other paths matter.
  # shellcheck disable=SC3013 # -nt is in every sh that git comes with
  if [ ! .kittify/config.yaml -nt "$kw_observed" ] && IFS= read -r kw_last <"$kw_observed" &&
    { [ "$kw_hook" != post-checkout ] || [ "$1" = "$kw_last" ]; }; then
    kittywatch_untouched && return 0
  fi 2>/dev/null

  [ -x "$kw_python" ] || return 0
  # What git says of rewritten commits, it says once, on stdin: whatever follows in this hook gets it again.
  kw_pairs=
  if [ "$kw_hook" = post-rewrite ]; then
    kw_pairs=$(cat)
    exec <<KITTYWATCH
$kw_pairs
KITTYWATCH
  fi
  # -E -P: neither PYTHONPATH nor the worktree may bring modules.
  printf '%s\n' "$kw_pairs" |
    "$kw_python" -E -P -c 'from kittywatch.githooks.entry import main; main()' "$kw_hook" "$@" >/dev/null
}
kittywatch_alive() { [ "${20-}" = "$kw_started" ] && [ "$1" != T ] && [ "$1" != Z ]; }
# The last look left the commit, and below it the paths that matter, as git takes them. All sides of a merge count. A
# merge itself is listed whatever it brought: then the commits on its sides are looked at, and whether it took an older
# state from one of them.
kittywatch_untouched() {
  set --
  while IFS= read -r kw_line; do [ "$kw_line" = "$kw_last" ] || set -- "$@" "$kw_line"; done <"$kw_observed"
  [ $# -gt 0 ] || return 1
  kw_found=$(git rev-list -n 1 --full-history --parents "$kw_last...HEAD" -- "$@") || return 1
  if [ -n "$kw_found" ]; then
    kw_found=$(git rev-list -n 1 --full-history --no-merges "$kw_last...HEAD" -- "$@") && [ -z "$kw_found" ] &&
      git diff-tree --quiet "$kw_last" HEAD -- "$@" || return 1
  fi
  IFS= read -r kw_head <"$kw_git/HEAD"
  [ ! -f "$kw_git/commondir" ] || { IFS= read -r kw_common <"$kw_git/commondir" && kw_common=/$kw_common; }
  IFS= read -r kw_tip <"$kw_git$kw_common/${kw_head#ref: }" && printf '%s\n' "$kw_tip" "$@" >"$kw_observed"
  return 0
}
kittywatch_hook "$@" || :
# <<< kittywatch <<<
