"""hitmiss's own themes, dark and light, and the colours of verdicts in every other theme."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="hitmiss-dark",
    dark=True,
    primary="#5fb3a1",
    secondary="#6f9bf5",
    accent="#e0a040",
    warning="#e0a040",
    error="#f0716b",
    success="#5fb3a1",
    foreground="#d5d9e2",
    background="#11141b",
    surface="#11141b",
    panel="#1a2029",
    boost="#232c38",
    variables={
        "hit": "#5fb3a1",
        "miss": "#e0a040",
        "running": "#6f9bf5",
        "failed": "#f0716b",
        "dim": "#707a8a",
        "border-blurred": "#2f3a47",
        "block-cursor-background": "#25303d",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-blurred-background": "#1d2530",
        "footer-background": "#1a2029",
        "footer-key-foreground": "#e0a040",
        "footer-description-foreground": "#aab2c0",
        "input-selection-background": "#5fb3a1 35%",
    },
)

LIGHT = Theme(
    name="hitmiss-light",
    dark=False,
    primary="#0f766e",
    secondary="#1d4ed8",
    accent="#a85500",
    warning="#a85500",
    error="#c02626",
    success="#0f766e",
    foreground="#1f2733",
    background="#fbfaf7",
    surface="#fbfaf7",
    panel="#ece9e1",
    boost="#e2ded3",
    variables={
        "hit": "#0f766e",
        "miss": "#a85500",
        "running": "#1d4ed8",
        "failed": "#c02626",
        "dim": "#6b7280",
        "border-blurred": "#cfc9bb",
        "block-cursor-background": "#d9e6e3",
        "block-cursor-foreground": "#101418",
        "block-cursor-blurred-background": "#e8ebe5",
        "footer-background": "#ece9e1",
        "footer-key-foreground": "#a85500",
        "footer-description-foreground": "#4b5563",
        "input-selection-background": "#0f766e 30%",
    },
)

FALLBACK = {"hit": "#3fa68f", "miss": "#d08a20", "running": "#5a86e8", "failed": "#e05a54", "dim": "#808895"}
"""The verdicts' colours in themes that are not ours."""
