"""Find the objects that expressions or a sound refer to in a video.

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

EPILOG = """\
what is written to --out-dir:
  overlay.mp4        the video with all objects, each in its own colour
  strip.png          some frames, a row for every text, and for the sound
  masks/<k>_<text>/  a PNG for every frame, 0 and 255
  masks/<k>_sound/   the same
  predictions.json   texts, scores and masks (COCO's run-length encoding)

It must be a new or an empty folder, or one with earlier results; those are
replaced when the new ones are whole. The exit status is 2 where the input
can't be used; one line then says what was wrong with it.
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
        help='a video file, a folder of images (natural order), or one image',
    )
    parser.add_argument(
        '--text',
        action='append',
        metavar='EXPRESSION',
        help='what to look for; give it again for more objects, the video is '
        'encoded only once',
    )
    parser.add_argument(
        '--sound',
        nargs='?',
        const=True,
        metavar='FILE',
        help='look for what is heard in this sound or video file; without '
        'FILE, in the soundtrack of VIDEO, which stands before --sound then',
    )
    parser.add_argument(
        '--ask',
        action='append',
        metavar='REFERENCE',
        help='one reference of several modalities, such as \'text="the one '
        'that barks" sound speech=said.wav\'; sound alone is the soundtrack '
        'of VIDEO; give it again for more',
    )
    parser.add_argument(
        '--config', required=True, help="the model's config file"
    )
    parser.add_argument(
        '--checkpoint',
        required=True,
        metavar='WEIGHTS',
        help="the model's weights: .pth, .pt or .safetensors",
    )
    parser.add_argument(
        '--out-dir', required=True, metavar='DIR', help='see below'
    )
    parser.add_argument(
        '--device',
        help='such as cuda:0 or cpu (default: the first GPU, or the CPU '
        'where there is none)',
    )
    parser.add_argument(
        '--threshold',
        type=float,
        metavar='P',
        help='probability above which a pixel belongs to the object '
        "(default: the config's, mostly 0.5)",
    )
    parser.add_argument(
        '--fps',
        type=float,
        metavar='N',
        help='frames a second: a video file with more is thinned out to so '
        'many (default: all), images are so many (default: 6); fewer frames '
        'take less time and memory',
    )
    parser.add_argument(
        '--window',
        type=int,
        metavar='N',
        help='frames that the model sees together, a quarter of them again '
        'in the next window: memory does not grow with the video (default: '
        'all)',
    )
    add_precision_argument(parser)
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read weights that hold more than tensors and plain data; such '
        'a file can run any code, so only from sources that you trust',
    )
    args = parser.parse_args(argv)
    if args.text is None and args.sound is None and args.ask is None:
        parser.error('one of the arguments --text --sound --ask is required')
    return args


def table(names: Sequence[str], result: InferenceResult) -> List[str]:
    """Lines that say how sure the model is of each answer."""
    return ['score  text'] + [
        f'{prediction.score:5.2f}  {name}'
        + (': nothing' if prediction.is_null else '')
        for name, prediction in zip(names, result.predictions, strict=True)
    ]


def run(argv: Optional[Sequence[str]] = None) -> None:
    args = parse_args(argv)
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
    """Run the command; gives its exit status."""
    return run_tool(run, argv)


if __name__ == '__main__':
    sys.exit(main())
