#!/bin/sh
# cjson.sh FOLDER: makes FOLDER/libcjson.a, which Debian has no package of, from
# Debian's own source package: fetched and verified by apt, with the system's
# sources and keys, but with lists and caches of its own, so that neither root is
# needed nor anything of the system's changed.  A trainer linked with it runs
# where there is no libcjson.
set -eu
folder=$(mkdir -p "$1" && cd "$1" && pwd)
work=$folder/cjson
[ ! -f "$folder/libcjson.a" ] || exit 0
command -v apt-get >/dev/null || { echo "no apt-get here"; exit 1; }
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/sources" "$work/source"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# The system's sources of Debian itself, each for source packages: one-line files
# (deb -> deb-src) and deb822 ones (Types: deb-src).
etc=${APT_ETC:-/etc/apt}
for list in "$etc/sources.list" "$etc"/sources.list.d/*.list; do
    [ ! -f "$list" ] || sed -n 's/^ *deb\(-src\)\{0,1\} /deb-src /p' "$list" | grep debian >> "$work/sources/one-line.list" || :
done
for list in "$etc"/sources.list.d/*.sources; do
    [ ! -f "$list" ] || ! grep -q '^URIs:.*debian' "$list" ||
        sed 's/^Types:.*/Types: deb-src/' "$list" > "$work/sources/$(basename "$list")"
done

apt() {
    apt-get -q -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/sources" \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User= \
        -o Acquire::Languages=none -o Acquire::Retries=0 -o Acquire::http::Timeout=20 "$@"
}
cd "$work/source"
apt update
apt source --download-only cjson

tar xf cjson_*.orig.tar.*
cd cJSON-*/
tar xf ../cjson_*.debian.tar.*
# What Debian mended; what is only about building does not matter here, and may not apply.
while read -r name _; do
    case $name in '' | '#'*) continue ;; esac
    patch -p1 -s -f < "debian/patches/$name"
done < debian/patches/series
${CC:-cc} -O2 -fPIC -std=c99 -w -c cJSON.c -o "$work/cJSON.o"
rm -f "$work/libcjson.a"
ar rcs "$work/libcjson.a" "$work/cJSON.o"
mv "$work/libcjson.a" "$folder/libcjson.a"
