# What the stand-ins share. Each of them writes files made of nothing but its arguments and its inputs, so that the
# same inputs give the same bytes, as a step that is worth caching does.

# The pace of the image: milliseconds that a line of output takes. The environment may say otherwise.
pace=${STANDIN_PACE_MS:-$(cat /usr/local/share/stand-in/pace 2>/dev/null || echo 0)}

# tick N: takes as long as N lines.
tick() { [ "$pace" -eq 0 ] || usleep $((pace * 1000 * $1)); }

# say LINE...: prints the line and takes as long as the pace says.
say() {
    printf '%s\n' "$*"
    tick 1
}

# sum_of TEXT: a short number that stands for the text.
sum_of() { echo $((0x$(printf '%s' "$*" | md5sum | cut -c1-6))); }

# sums_below PATH...: one line per file below the paths, in a fixed order: its sum and its name.
sums_below() { find "$@" -type f 2>/dev/null | LC_ALL=C sort | while read -r file; do md5sum "$file"; done; }

# is_mounted FOLDER: whether the folder lies in a mount of its own.
is_mounted() {
    inner=$1
    while [ "$inner" != / ]; do
        ! grep -q " $inner " /proc/mounts || return 0
        inner=$(dirname "$inner")
    done
    return 1
}

# cached FOLDER NAME: true when the folder of a cache mount has the download already; else it is put there.
# Without a mount it is not kept, so that the image stays the same with and without one.
cached() {
    is_mounted "$1" || return 1
    [ -e "$1/$2" ] && return 0
    mkdir -p "$1" && sum_of "$2" >"$1/$2"
    return 1
}

# fail CODE LINE...: ends the step as the real tool would.
fail() {
    code=$1
    shift
    printf '%s\n' "$*" >&2
    exit "$code"
}
