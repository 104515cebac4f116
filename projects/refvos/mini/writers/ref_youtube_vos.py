"""Write Ref-YouTube-VOS's layout.

Unlike in the real data set, every split has masks and the object ids of its
expressions, and ``valid`` does not list the videos of ``test``.
"""

from typing import Sequence

from ..video import MiniVideo
from .base import Record, Writer
from .files import write_jpeg, write_json, write_mask


class RefYouTubeVOSWriter(Writer):
    """Write Ref-YouTube-VOS's layout."""

    made = ('train', 'valid', 'test', 'meta_expressions')

    def write_video(self, split: str, video: MiniVideo) -> Record:
        frames = self.root / split / 'JPEGImages' / video.name
        masks = self.root / split / 'Annotations' / video.name
        for folder in (frames, masks):
            folder.mkdir(parents=True, exist_ok=True)
        for name, frame, ids in zip(
            video.frame_names,
            video.rendering.frames,
            video.rendering.ids,
            strict=True,
        ):
            write_jpeg(frames / f'{name}.jpg', frame)
            write_mask(masks / f'{name}.png', ids)
        objects = {
            item.id: {
                'category': f'{item.fill} {item.kind}',
                'frames': video.drawn[item.id],
            }
            for item in video.scene.objects
        }
        expressions = {
            str(index): {
                'exp': expression.text,
                'obj_id': expression.object_id,
                'kind': expression.kind,
                'unseen': expression.unseen,
            }
            for index, expression in enumerate(video.expressions)
        }
        return {
            'name': video.name,
            'objects': objects,
            'expressions': {
                'frames': list(video.frame_names),
                'expressions': expressions,
            },
        }

    def write_split(self, split: str, records: Sequence[Record]) -> None:
        objects = {r['name']: {'objects': r['objects']} for r in records}
        expressions = {r['name']: r['expressions'] for r in records}
        write_json(self.root / split / 'meta.json', {'videos': objects})
        write_json(
            self.root / 'meta_expressions' / split / 'meta_expressions.json',
            {'videos': expressions},
        )
