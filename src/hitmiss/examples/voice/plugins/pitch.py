"""The pitch of a voice, where there is one."""

import numpy as np

LOWEST, HIGHEST = 70, 400


def hear(samples: np.ndarray, rate: int) -> str:
    part = samples[: rate // 2]
    if len(part) < rate // LOWEST * 2 or not part.any():
        return "none"
    spectrum = np.abs(np.fft.rfft(part, 2 * len(part))) ** 2
    likeness = np.fft.irfft(spectrum)[: len(part)]
    delays = slice(rate // HIGHEST, rate // LOWEST)
    delay = delays.start + int(np.argmax(likeness[delays]))
    return f"{rate / delay:.0f} Hz" if likeness[delay] > 0.3 * likeness[0] else "none"
