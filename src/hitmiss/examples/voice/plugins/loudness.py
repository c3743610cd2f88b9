"""How loud a recording is."""

import numpy as np


def hear(samples: np.ndarray, rate: int) -> str:
    power = float(np.mean(samples**2)) if len(samples) else 0.0
    return f"{10 * np.log10(power):.1f} dB" if power else "silence"
