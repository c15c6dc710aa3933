#!/usr/bin/env bash
# Packs a folder into an image, without a daemon and without a network: image/pack.sh FOLDER ARCHIVE NAME [BUILD-OPTION...] <CONTAINERFILE
# ARCHIVE becomes an OCI archive. The same folder and Containerfile give the same image, byte for byte.
set -euo pipefail
folder=$1 archive=$2 name=$3
shift 3
store=$(mktemp -d "${TMPDIR:-/tmp}/qos-image.XXXXXX")
trap 'rm -rf "$store"' EXIT
cat >"$store/Containerfile"
buildah() { command buildah --root "$store/root" --runroot "$store/run" --storage-driver vfs "$@"; }
buildah build --quiet --isolation chroot --format oci --timestamp 0 --identity-label=false --pull-never --file "$store/Containerfile" --tag "$name" \
    "$@" "$folder" >/dev/null
buildah push --quiet "$name" "oci:$store/oci:$name"
tar --directory "$store/oci" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --create --file "$archive" .
