"""An album is filled from a camera."""

from __future__ import annotations

from album import Album
from camera import roll
from fingerprint import Fingerprint


def run() -> object:
    album = Album()
    for name, picture in roll(3_900):
        album.add(name, Fingerprint.of(picture))
    return len(album.photos), album.twins
