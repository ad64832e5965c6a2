"""Smaller PNG files that look the same."""

import io

from PIL import Image

COLORS = 256  # of a palette


def smaller_png(png: bytes, palette: bool = False, dither: bool = False) -> bytes:
    """Write a PNG again as small as it gets.

    Args:
        png: the bytes of a PNG file.
        palette: choose the 256 colours that suit the picture best; slightly lossy, much smaller.
        dither: mix the colours in between from those of the palette; smoother, and less small.
    Returns:
        the bytes of the smaller file; the given ones where nothing was won.
    """
    picture = Image.open(io.BytesIO(png))
    picture = _on_white(picture) if palette or _is_opaque(picture) else picture
    if palette:
        chosen = picture.quantize(COLORS, method=Image.Quantize.MEDIANCUT, kmeans=int(dither))
        picture = picture.quantize(palette=chosen) if dither else chosen
    file = io.BytesIO()
    picture.save(file, "png", optimize=True)
    return min(png, file.getvalue(), key=len)


def _is_opaque(picture: Image.Image) -> bool:
    return "A" not in picture.mode or picture.getchannel("A").getextrema() == (255, 255)


def _on_white(picture: Image.Image) -> Image.Image:
    """The picture as RGB, its transparent parts white."""
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")
