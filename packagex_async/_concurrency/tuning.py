"""The sizes, times and rates that control how fast transfers are."""

# This module has no postponed annotations: with them, creating this class takes twice as long.
import sys
from typing import NamedTuple

DEFAULT_SEGMENTS = 8
"""The default of `segments`: the maximum number of connections for one artifact."""

MAX_SEGMENTS = 16
"""The largest value of `segments`."""


class TransferTuning(NamedTuple):
    """The sizes in bytes, times in seconds, and rates in bytes per second of one client.

    Attributes:
        parallel_min_size: An artifact of this size or more may use several connections. With 16 MiB instead,
            12 MiB took five times as long over a line that loses 1 % of its packets.
        probe_time: Seconds for which the rate of the first connection is measured.
        shared_probe_time: The same while several artifacts are transferred, which take turns.
        min_remaining_time: Other connections are opened only if the rest would take longer on one connection.
        max_rate: The rate at which the event loop is the limit, and not the network.
        settling_time: Seconds for which the rate of several connections is measured.
        min_gain: The factor by which several connections have to be faster than one.
        min_segment_size: A segment of this size is worth a request.
        min_segment_time: A smaller segment is worth a request, too, if one connection needs this many seconds
            for it, and if it has `min_slow_segment_size`. Over a line that loses 1 % of its packets, this
            halves the time of a transfer, because no connection is slow for long at its end.
        min_slow_segment_size: The smallest segment on a slow connection.
        min_segment_progress: A connection that received less before it failed is not replaced.
        direct_read_min_size: A body of this size or more is read without the parser of aiohttp. Afterwards,
            its connection cannot be used again.
        buffer_size: The size of a buffer for such a body.
        shared_buffer_size: The same while other bodies are received. Each body has three buffers, so four
            artifacts need 7.5 MiB less: over TLS, 16 MiB above an idle client. With 768 KiB, they take 4 %
            more CPU time.
        segment_buffer_size: The same for one of several segments, each of which is slow.
        pipe_size: The size of a pipe, which is a buffer outside the memory of the process; 0 to use no pipes.
            Linux allows no more without privileges, and 64 MiB for all pipes of a user.
        max_piped_bodies: Pipes are used for this number of bodies at a time. Each body has three of them, and
            seven descriptors.
        fill_timeout: Seconds that a read waits for a full buffer.
        direct_write_min_size: A chunk of this size or more is written at once; smaller ones are collected.
        read_size: Maximum bytes of other bodies that aiohttp buffers.
    """

    parallel_min_size: int = 4 * 1024 * 1024
    probe_time: float = 0.05
    shared_probe_time: float = 0.2
    min_remaining_time: float = 1.0
    max_rate: float = 256 * 1024 * 1024
    settling_time: float = 1.0
    min_gain: float = 1.25
    min_segment_size: int = 2 * 1024 * 1024
    min_segment_time: float = 0.5
    min_slow_segment_size: int = 128 * 1024
    min_segment_progress: int = 64 * 1024
    direct_read_min_size: int = 16 * 1024 * 1024
    buffer_size: int = 1536 * 1024
    shared_buffer_size: int = 896 * 1024
    segment_buffer_size: int = 128 * 1024
    pipe_size: int = 1024 * 1024
    max_piped_bodies: int = 4
    fill_timeout: float = 0.05
    direct_write_min_size: int = 128 * 1024
    read_size: int = 256 * 1024


default_tuning = TransferTuning()
"""The tuning of new clients."""


def limited_tuning(tuning: TransferTuning) -> TransferTuning:
    """Return the tuning of a client with limited bandwidth: one connection per artifact, and small reads."""
    return tuning._replace(parallel_min_size=sys.maxsize, direct_read_min_size=sys.maxsize)


def shared_tuning(tuning: TransferTuning, others: int) -> TransferTuning:
    """Return the tuning of a response while `others` bodies are received: smaller buffers, and few pipes."""
    if not others:
        return tuning
    pipe_size = tuning.pipe_size if others < tuning.max_piped_bodies else 0
    return tuning._replace(
        buffer_size=min(tuning.buffer_size, tuning.shared_buffer_size), pipe_size=pipe_size
    )
