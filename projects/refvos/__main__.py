"""Segment the objects of a video that expressions or sounds refer to.

    refvos video.mp4 --text "the red circle" --text "the dog on the left"
           --config CONFIG --checkpoint WEIGHTS --out-dir results
    refvos video.mp4 --sound
           --config CONFIG --checkpoint WEIGHTS --out-dir results
    refvos video.mp4 --ask 'text="the one that barks" sound'
           --config CONFIG --checkpoint WEIGHTS --out-dir results

`python -m refvos` is the same command.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import List, Optional

from .apis import InferenceResult, RefVOSInferencer
from .apis.asked import parse_reference
from .engine.cli import add_precision_argument, run_tool
from .io.media import set_playlists

EPILOG = """\
files in --out-dir:
  overlay.mp4        the video with all objects, each in its own colour
  strip.png          some frames, one row per text and one for the sound
  masks/<k>_<text>/  one PNG per frame, with values 0 and 255
  masks/<k>_sound/   the same for the sound
  predictions.json   texts, scores and masks (COCO's run-length encoding)

The folder must be new, empty, or hold earlier results, which are replaced when
the new ones are complete. If the input cannot be used, one line says why, and
the exit status is 2.
"""


def parse_args(argv: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='refvos',
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'video',
        metavar='VIDEO',
        help='a video file, a folder of images (in natural order), or an '
        'image',
    )
    parser.add_argument(
        '--text',
        action='append',
        metavar='EXPRESSION',
        help='expression that refers to an object; repeat it for more objects '
        '(the video is encoded only once)',
    )
    parser.add_argument(
        '--sound',
        nargs='?',
        const=True,
        metavar='FILE',
        help='segment the objects that sound in this sound or video file; '
        'without FILE, in the soundtrack of VIDEO (VIDEO must then come '
        'before --sound)',
    )
    parser.add_argument(
        '--ask',
        action='append',
        metavar='REFERENCE',
        help='a reference of several modalities, such as \'text="the one '
        'that barks" sound speech=said.wav\'; sound without a file is the '
        'soundtrack of VIDEO; repeat it for more references',
    )
    parser.add_argument(
        '--config', required=True, help='config file of the model'
    )
    parser.add_argument(
        '--checkpoint',
        required=True,
        metavar='WEIGHTS',
        help='weights of the model: a .pth, .pt or .safetensors file',
    )
    parser.add_argument(
        '--out-dir',
        required=True,
        metavar='DIR',
        help='folder of the results, see below',
    )
    parser.add_argument(
        '--device',
        help='such as cuda:0 or cpu (default: the first GPU if there is one, '
        'else the CPU)',
    )
    parser.add_argument(
        '--threshold',
        type=float,
        metavar='P',
        help='probability above which a pixel belongs to the object '
        '(default: as in the config, usually 0.5)',
    )
    parser.add_argument(
        '--fps',
        type=float,
        metavar='N',
        help='frames per second: a video file is reduced to this rate '
        '(default: all frames); for images, their rate (default: 6); fewer '
        'frames take less time and memory',
    )
    parser.add_argument(
        '--window',
        type=int,
        metavar='N',
        help='number of frames that the model processes together; windows '
        'overlap by a quarter, and memory does not grow with the video '
        '(default: all frames)',
    )
    add_precision_argument(parser)
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read weights that hold more than tensors and plain data; such '
        'a file can run any code, so use it only for sources that you trust',
    )
    parser.add_argument(
        '--allow-playlists',
        action='store_true',
        help='read VIDEO and sounds also where they are playlists (.m3u8, '
        '.ffconcat, .mpd): small files that name other files to be read',
    )
    args = parser.parse_args(argv)
    if args.text is None and args.sound is None and args.ask is None:
        parser.error('one of the arguments --text --sound --ask is required')
    return args


def table(names: Sequence[str], result: InferenceResult) -> List[str]:
    """Format a table of the scores: header, then one line per reference."""
    return ['score  text'] + [
        f'{prediction.score:5.2f}  {name}'
        + (': nothing' if prediction.is_null else '')
        for name, prediction in zip(names, result.predictions, strict=True)
    ]


def run(argv: Optional[Sequence[str]] = None) -> None:
    """Answer the references of the command line and write the results."""
    args = parse_args(argv)
    set_playlists(args.allow_playlists)
    inferencer = RefVOSInferencer(
        args.config,
        args.checkpoint,
        args.device,
        trust_checkpoint=args.trust_checkpoint,
        precision=args.amp,
    )
    asked = [
        parse_reference(words, str(index), args.video)
        for index, words in enumerate(args.ask or ())
    ]
    result = inferencer(
        args.video,
        args.text,
        out_dir=args.out_dir,
        fps=args.fps,
        threshold=args.threshold,
        progress=True,
        window=args.window,
        sound=args.sound,
        references=asked,
    )
    height, width = result.frame_size
    names = [each.reference.name for each in result.predictions[: len(asked)]]
    names += [*(args.text or []), *(['[sound]'] if args.sound else [])]
    print('\n'.join(table(names, result)))
    print(
        f'{len(result.frame_ids)} frames of {width}x{height}; '
        f'masks, scores and overlays: {result.out_dir}'
    )


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the command; return its exit status."""
    return run_tool(run, argv)


if __name__ == '__main__':
    sys.exit(main())
