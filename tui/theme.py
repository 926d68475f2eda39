"""Placet's own looks, dark and light, on Textual's tokens. One accent; risk has its own colours."""

from textual.theme import Theme

DARK = Theme(
    name="placet-dark",
    primary="#8aa9ff",
    secondary="#6f7fa8",
    accent="#8aa9ff",
    success="#7fc99a",
    warning="#e6b566",
    error="#f0787a",
    foreground="#d5dae6",
    background="#0f1219",
    surface="#141924",
    panel="#1d2432",
    dark=True,
    variables={
        "border": "#8aa9ff",
        "border-blurred": "#2b3446",
        "block-cursor-background": "#28365c",
        "block-cursor-foreground": "#f2f5fc",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#1d2536",
        "block-cursor-blurred-foreground": "#d5dae6",
        "footer-key-foreground": "#8aa9ff",
        "footer-background": "#0f1219",
        "scrollbar": "#2b3446",
        "scrollbar-background": "#141924",
        "scrollbar-corner-color": "#141924",
    },
)

LIGHT = Theme(
    name="placet-light",
    primary="#3a56c5",
    secondary="#66709a",
    accent="#3a56c5",
    success="#1f7a45",
    warning="#9a6200",
    error="#bf2f38",
    foreground="#222733",
    background="#f3f2ee",
    surface="#fcfbf8",
    panel="#e9e7e0",
    dark=False,
    variables={
        "border": "#3a56c5",
        "border-blurred": "#cfccc2",
        "block-cursor-background": "#d5ddf8",
        "block-cursor-foreground": "#141824",
        "block-cursor-text-style": "none",
        "block-cursor-blurred-background": "#e8e9ef",
        "block-cursor-blurred-foreground": "#222733",
        "footer-key-foreground": "#3a56c5",
        "footer-background": "#f3f2ee",
        "scrollbar": "#cfccc2",
        "scrollbar-background": "#fcfbf8",
        "scrollbar-corner-color": "#fcfbf8",
    },
)

THEMES = (DARK, LIGHT)
