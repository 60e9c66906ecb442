# The far end of a resident shell: evaluates what the emulator sends it, request after request, in any POSIX shell.
#
# It comes in a variable, as its text in an argument would fill every `ps` and be hit by every `pkill -f`.
# A request is a line with a count, then so many lines of shell code. Replies go to standard output among the bytes of
# the command, as `<mark> word word>`: the mark is random, comes with the first line, and is never in an argument or in
# the environment, so that no output can be mistaken for a reply. Everything here is named _chaser_ so that it cannot
# meet a variable of the session's.

unset _chaser_script
exec 4<&0 </dev/null
IFS= read -r _chaser_mark <&4 || exit 0

_chaser_say() { printf '%s %s>' "$_chaser_mark" "$*"; }

# Without setsid a command has no group of its own, and a signal reaches its leader only.
_chaser_setsid=$(command -v setsid || command -v env)
_chaser_shell=$(command -v bash || command -v sh)
_chaser_watched=
_chaser_token=

# Becomes the command; called in a subshell. Started with `&` it would ignore SIGINT for ever, so the supervisor waits
# for it in the foreground. $1: folder; $2: 4 when standard input is the emulator's; then what to execute.
_chaser_lead() {
    cd -- "$1" 2>/dev/null || { _chaser_say error directory; exit 1; }
    unset OLDPWD
    IFS=' ' read -r _chaser_pid _chaser_rest </proc/self/stat
    _chaser_say pid "$_chaser_pid"
    case $2 in
    4) exec 0<&4 ;;
    esac
    shift 2
    exec 2>&1 4<&-
    exec "$@"
}

# Says how it ended, then whether this shell can serve again: not if something else still holds its output.
_chaser_end() {
    _chaser_say exit "$1"
    _chaser_holders 1 $$ && _chaser_say dirty || _chaser_say clean
}

# Whether a process other than $2 itself has the pipe open that $2 knows as descriptor $1.
_chaser_holders() {
    for _chaser_file in /proc/[0-9]*/fd/*; do
        case $_chaser_file in
        /proc/"$2"/*) ;;
        *) [ "$_chaser_file" -ef "/proc/$2/fd/$1" ] && return 0 ;;
        esac
    done
    return 1
}

# The group may not be there yet, when the command is just about to call setsid.
_chaser_kill() { kill "-$1" "-$2" 2>/dev/null || kill "-$1" "$2" 2>/dev/null; }

# Sets _chaser_found to what lives in session $1, as process:group. Fields of stat after the name: state, parent, group,
# session, terminal, its foreground group.
_chaser_members() {
    _chaser_found=
    for _chaser_file in /proc/[0-9]*/stat; do
        { read -r _chaser_line <"$_chaser_file"; } 2>/dev/null || continue
        _chaser_pid=${_chaser_file#/proc/}
        set -- "$1" ${_chaser_line##*) }
        case $5:$2 in
        "$1":[ZX]) ;;
        "$1":*) _chaser_found="$_chaser_found ${_chaser_pid%/stat}:$4" ;;
        esac
    done
}

# As the line of a modem that drops, for session $1. Sets _chaser_front to the group that was in the foreground.
_chaser_hang_up() {
    _chaser_front=$1
    if { read -r _chaser_line <"/proc/$1/stat"; } 2>/dev/null; then
        set -- "$1" ${_chaser_line##*) }
        _chaser_front=$7
    fi
    _chaser_members "$1"
    for _chaser_one in $_chaser_found; do
        kill -1 "-${_chaser_one#*:}" 2>/dev/null
        kill -18 "-${_chaser_one#*:}" 2>/dev/null
    done
}

# Kills what is left of session $1 after that, $2 having been its front, and sets _chaser_left to how many those were.
# What has been started by nohup in the background stays, as on any machine: it ignores the hangup.
_chaser_clear() {
    _chaser_left=0
    _chaser_members "$1"
    for _chaser_one in $_chaser_found; do
        case ${_chaser_one#*:} in
        "$1" | "$2") ;;
        *) _chaser_deaf "${_chaser_one%:*}" && continue ;;
        esac
        _chaser_left=$((_chaser_left + 1))
        kill -9 "${_chaser_one%:*}" 2>/dev/null
    done
}

# Whether process $1 ignores SIGHUP, the lowest bit of the mask.
_chaser_deaf() {
    while read -r _chaser_name _chaser_rest; do
        case $_chaser_name:$_chaser_rest in
        SigIgn:*[13579bdf]) return 0 ;;
        SigIgn:*) return 1 ;;
        esac
    done 2>/dev/null <"/proc/$1/status"
    return 1
}

# Sets _chaser_sessions to the sessions that the emulator has started beside its shells: terminals, and relays of ports.
# Their leaders come from outside, and have its token among the variables they were started with.
_chaser_started() {
    _chaser_sessions=
    for _chaser_file in /proc/[0-9]*/stat; do
        { read -r _chaser_line <"$_chaser_file"; } 2>/dev/null || continue
        _chaser_pid=${_chaser_file#/proc/}
        _chaser_pid=${_chaser_pid%/stat}
        set -- ${_chaser_line##*) }
        case $2:$4 in
        0:"$_chaser_pid") grep -q "$_chaser_token" "/proc/$_chaser_pid/environ" 2>/dev/null &&
            _chaser_sessions="$_chaser_sessions $_chaser_pid" ;;
        esac
    done
}

# Says where something listens: addresses and ports as the kernel writes them, which it does before all connections.
_chaser_ports() {
    _chaser_found=
    for _chaser_file in /proc/net/tcp /proc/net/tcp6; do
        {
            read -r _chaser_line
            while read -r _chaser_name _chaser_one _chaser_line _chaser_rest; do
                case $_chaser_rest in
                0A*) _chaser_found="$_chaser_found $_chaser_one" ;;
                *) break ;;
                esac
            done
        } 2>/dev/null <"$_chaser_file"
    done
    _chaser_say ports $_chaser_found
}

_chaser_fail() {
    case $* in
    *"No space left"* | *"quota exceeded"*) _chaser_say error full ;;
    *) _chaser_say error denied ;;
    esac
    exit 1
}

# Fails unless $1, all symbolic links resolved, is within /workspace. $2 empty: any place will do.
_chaser_inside() {
    [ -n "$2" ] || return 0
    case $1/ in
    /workspace/*) ;;
    *) _chaser_say error outside; exit 1 ;;
    esac
}

# The longest part of the path $1 that is there; a symbolic link is, wherever it leads.
_chaser_part_there() {
    _chaser_there=$1
    while [ ! -e "$_chaser_there" ] && [ ! -L "$_chaser_there" ]; do
        _chaser_there=${_chaser_there%/*}
        _chaser_there=${_chaser_there:-/}
    done
}

# $1: path; $2: not empty when it must stay within /workspace. What is checked is the file that was really opened.
_chaser_read() {
    if [ ! -f "$1" ]; then
        _chaser_part_there "${1%/}"
        _chaser_inside "$(readlink -f "$_chaser_there")" "$2"
        [ -e "$1" ] && _chaser_say error kind || _chaser_say error missing
        exit 1
    fi
    [ -r "$1" ] || _chaser_fail
    exec 5<"$1"
    _chaser_inside "$(readlink -f /proc/self/fd/5)" "$2"
    _chaser_size=$(stat -L -c %s /proc/self/fd/5)
    _chaser_say size "$_chaser_size"
    head -c "$_chaser_size" <&5
}

# $1: path of a folder; $2: as above; $3: not empty for all that is below it. What is there comes as `stat` tells it:
# no name has a slash, so `/./` before each path tells where it starts.
_chaser_list() {
    if [ ! -d "$1" ]; then
        _chaser_part_there "${1%/}"
        _chaser_inside "$(readlink -f "$_chaser_there")" "$2"
        [ -e "$1" ] && _chaser_say error kind || _chaser_say error missing
        exit 1
    fi
    cd -- "$1" 2>/dev/null && [ -r . ] || _chaser_fail
    _chaser_inside "$(pwd -P)" "$2"
    _chaser_say go
    case $3 in
    '') find . ! -name . -prune -exec stat -c '%f %s /%n' {} + 2>/dev/null ;;
    *) find . ! -name . -exec stat -c '%f %s /%n' {} + 2>/dev/null ;;
    esac
}

# $1: path; $2: as above; $4: not empty to keep the mode of the file that is there; $3: a random word. The content comes on descriptor 4, with the word at its end: when the word
# is missing, the sender has gone in the middle, and nothing may change.
_chaser_write() {
    # When the emulator dies, this goes on until the half of a file is removed.
    trap '' PIPE HUP
    LC_ALL=C
    export LC_ALL
    umask 022
    _chaser_part_there "${1%/}"
    _chaser_inside "$(readlink -f "$_chaser_there")" "$2"
    if [ -d "$1" ] || [ "$1" != "${1%/}" ]; then
        _chaser_say error kind
        exit 1
    fi
    _chaser_folder=${1%/*}
    _chaser_folder=${_chaser_folder:-/}
    _chaser_text=$(mkdir -p "$_chaser_folder" 2>&1) || _chaser_fail "$_chaser_text"
    # What a name ends with may be newlines, which `$(...)` would take away.
    _chaser_target=$(readlink -f "$1" && echo x) || _chaser_fail
    _chaser_target=${_chaser_target%?x}
    _chaser_inside "$_chaser_target" "$2"
    if [ -e "$_chaser_target" ] && [ ! -f "$_chaser_target" ]; then
        _chaser_say error kind
        exit 1
    fi
    _chaser_part=${_chaser_target%/*}/.chaser-$3
    (: >"$_chaser_part") 2>/dev/null || _chaser_fail "$( (: >"$_chaser_part") 2>&1)"
    _chaser_say go
    _chaser_text=$(cat <&4 2>&1 >"$_chaser_part") || { rm -f "$_chaser_part"; _chaser_fail "$_chaser_text"; }
    _chaser_size=$(($(stat -c %s "$_chaser_part") - ${#3}))
    if [ "$_chaser_size" -lt 0 ] || [ "$(tail -c ${#3} "$_chaser_part" | tr -d '\000')" != "$3" ]; then
        rm -f "$_chaser_part"
        _chaser_say error cut
        exit 1
    fi
    _chaser_mode=
    [ -n "$4" ] && _chaser_mode=$(stat -c %a "$_chaser_target" 2>/dev/null)
    _chaser_text=$({ truncate -s "$_chaser_size" "$_chaser_part" && chmod "${_chaser_mode:-644}" "$_chaser_part" &&
        mv -f "$_chaser_part" "$_chaser_target"; } 2>&1) || { rm -f "$_chaser_part"; _chaser_fail "$_chaser_text"; }
    _chaser_say size "$_chaser_size"
}

_chaser_say ready $$
while IFS= read -r _chaser_count <&4; do
    _chaser_code=
    while [ "$_chaser_count" -gt 0 ] && IFS= read -r _chaser_line <&4; do
        _chaser_code="$_chaser_code$_chaser_line
"
        _chaser_count=$((_chaser_count - 1))
    done
    # Half a request is what a dying emulator leaves.
    [ "$_chaser_count" -eq 0 ] && eval "$_chaser_code"
done

# The emulator has gone. One shell of each sandbox watches the others: whatever leads a group as a child of one of them
# is killed with its group, so that no command is left without an owner.
for _chaser_file in /proc/[0-9]*/stat; do
    { read -r _chaser_line <"$_chaser_file"; } 2>/dev/null || continue
    set -- ${_chaser_line##*) }
    case " $_chaser_watched " in
    *" $2 "*)
        _chaser_pid=${_chaser_file#/proc/}
        _chaser_pid=${_chaser_pid%/stat}
        # Who stores a file leads no group and ignores hangups: it ends by itself, and takes the half of it along.
        [ "$3" != "$_chaser_pid" ] && _chaser_deaf "$_chaser_pid" && continue
        kill -9 "-$_chaser_pid" "$_chaser_pid" 2>/dev/null
        ;;
    esac
done

# Terminals get a moment to save their work. An engine may still be starting what it was asked for last.
[ -n "$_chaser_token" ] || exit 0
_chaser_all=
_chaser_again=
for _chaser_pause in 0.5 0.5 1 3; do
    _chaser_started
    _chaser_all="$_chaser_all $_chaser_sessions"
    for _chaser_session in $_chaser_all; do
        [ -n "$_chaser_again" ] && _chaser_clear "$_chaser_session" "$_chaser_session"
        _chaser_hang_up "$_chaser_session"
    done
    _chaser_again=yes
    sleep "$_chaser_pause" 2>/dev/null || sleep 1
done
