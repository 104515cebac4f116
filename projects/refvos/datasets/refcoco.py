"""RefCOCO, RefCOCO+ (Yu et al., 2016) and RefCOCOg (Mao et al., 2016)."""

from collections import defaultdict
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import (
    Any,
    Collection,
    Dict,
    FrozenSet,
    Iterator,
    List,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger

from ..errors import InputError
from ..io.data_files import load_json, load_plain_pickle
from ..io.missing_file import missing_file, naming_command
from ..structures import Reference
from .base import BaseReferringDataset

# Set -> name of the published division into splits, splits.
SETS = {
    'refcoco': ('unc', ('train', 'val', 'testA', 'testB')),
    'refcoco+': ('unc', ('train', 'val', 'testA', 'testB')),
    'refcocog': ('umd', ('train', 'val', 'test')),
}
# For the check of a folder; the config uses the validation of one set.
ALL_SPLITS = tuple(
    {'name': name, 'split': split}
    for name, (_, splits) in SETS.items()
    for split in splits
)
IMAGES = 'train2014'
FORMS = ('coco', 'pickle')
# Entries of images, annotations and references that are ids.
IDS = ('id', 'image_id', 'ann_id', 'category_id', 'original_id')
# Numbers of the shortest polygon: x and y of three corners.
SHORTEST_POLYGON = 6

# An image as the files describe it: file name, and (height, width) if listed.
Listed = Tuple[str, Optional[Tuple[int, int]]]
# A reference as the files describe it: the image, the reference, and its
# objects, id -> annotation.
Described = Tuple[Listed, Reference, Dict[str, dict]]


@DATASETS.register_module()
class RefCOCODataset(BaseReferringDataset):
    """References to objects in COCO's images; an image is a 1-frame video.

    ::

        <data_root>/train2014/COCO_train2014_<number>.jpg
        <data_root>/<name>/instances_<name>_<split>.json   (form 'coco')
        <data_root>/<name>/refs(unc).p, instances.json     (form 'pickle')

    Form 'pickle' is the authors' (RefCOCOg: ``refs(umd).p``); form 'coco'
    has one image entry with ``caption`` per expression, as the published
    ReferFormer code reads. Both give the same items. A test item is an image
    with all its references.

    A frame has ``segmentations``, object id (COCO's annotation id) ->
    polygons or RLE, and ``listed_size``, (height, width); a video has
    ``gt_boxes``, object id -> the annotated [x1, y1, x2, y2] in pixels, one
    per frame.

    Args:
        data_root: Folder with the images and the sets.
        name: 'refcoco', 'refcoco+' or 'refcocog'.
        split: 'train', 'val', 'testA' or 'testB'; for RefCOCOg 'train',
            'val' or 'test'.
        form: 'coco' or 'pickle'; None takes the first that exists.
        leave_out_tested_images: Of the split 'train', leave out the images
            in a validation or test split of any of the three sets, all of
            whose lists must exist. The sets share images: without this, a
            model that is trained on all three has seen some that it is
            tested on. The published code of ReferFormer keeps them.
        kwargs: Arguments of :class:`BaseReferringDataset`.
    """

    METAINFO = {'classes': CocoDataset.METAINFO['classes']}

    def __init__(
        self,
        data_root: str,
        name: str,
        split: str,
        form: Optional[str] = None,
        leave_out_tested_images: bool = False,
        **kwargs: Any,
    ) -> None:
        check_choice('name', name, tuple(SETS))
        check_choice('split', split, SETS[name][1])
        if form is not None:
            check_choice('form', form, FORMS)
        self.name = name
        self.split = split
        self.form = form
        if leave_out_tested_images and split != 'train':
            raise InputError.of(
                'RefCOCODataset',
                'leave_out_tested_images',
                True,
                f"False, for split {split!r}; it is for split 'train'",
            )
        self.leave_out_tested_images = leave_out_tested_images
        super().__init__(data_root=data_root, **kwargs)

    @property
    def folder(self) -> Path:
        """Folder of the set's lists."""
        return Path(self.data_root) / self.name

    @property
    def split_file(self) -> Path:
        """Path of the split's list, form 'coco'."""
        return self.folder / f'instances_{self.name}_{self.split}.json'

    @property
    def refs_file(self) -> Path:
        """Path of the set's references, form 'pickle'."""
        return self.folder / f'refs({SETS[self.name][0]}).p'

    def load_videos(self) -> List[Dict[str, Any]]:
        read = {'coco': self.read_coco, 'pickle': self.read_pickle}
        tested: Collection[str] = ()
        if self.leave_out_tested_images:
            tested = list_tested_images(Path(self.data_root), self.form)
        left_out: List[str] = []
        videos: Dict[str, Dict[str, Any]] = {}
        for image, reference, annotations in read[self.find_form()]():
            name, size = image
            if name in tested:
                left_out.append(name)
                continue
            if name not in videos:
                videos[name] = self.make_image(name, size)
            video = videos[name]
            video['references'].append(reference)
            for object_id, annotation in annotations.items():
                self.add_object(video, object_id, annotation)
        if self.leave_out_tested_images:
            MMLogger.get_current_instance().info(
                f'{self.name}: left out {len(left_out)} references to '
                f'{len(set(left_out))} images that are in a validation or '
                f'test split of {", ".join(SETS)}'
            )
        return list(videos.values())

    def load_data_list(self) -> List[Dict[str, Any]]:
        """List the items; training items keep their own outlines only.

        There are 320 000 items; with the outlines of all objects of the
        image they would take several times the memory.
        """
        items = super().load_data_list()
        if self.test_mode or not self.with_masks:
            return items
        for item in items:
            wanted = item['references'][0].object_ids
            (frame,) = item['frames']
            outlines = {id: frame['segmentations'][id] for id in wanted}
            item['frames'] = [dict(frame, segmentations=outlines)]
            item['gt_boxes'] = {
                id: item['gt_boxes'][id]
                for id in wanted
                if id in item['gt_boxes']
            }
        return items

    def find_form(self) -> str:
        """Return ``form``, or the first whose files exist."""
        if self.form is not None:
            return self.form
        for form, file in (
            ('coco', self.split_file),
            ('pickle', self.refs_file),
        ):
            if file.exists():
                return form
        raise InputError.of(
            self.folder,
            'files',
            'missing',
            naming_command(
                f'{self.split_file.name}, or {self.refs_file.name} and '
                'instances.json',
                self.split_file,
            ),
        )

    def make_image(
        self, image: str, size: Optional[Tuple[int, int]]
    ) -> Dict[str, Any]:
        """Describe an image, without references."""
        frame_id = Path(image).stem
        frame: Dict[str, Any] = {
            'img_path': str(Path(self.data_root) / IMAGES / image),
            'frame_id': frame_id,
        }
        video: Dict[str, Any] = {
            'video_id': frame_id,
            'frame_ids': [frame_id],
            'frames': [frame],
            'references': [],
            'labels': {},
        }
        if self.with_masks:
            frame['segmentations'] = {}
            if size is not None:
                frame['listed_size'] = size
            video['gt_boxes'] = {}
        return video

    def add_object(
        self, video: Dict[str, Any], object_id: str, annotation: dict
    ) -> None:
        """Add an object's outline, box and category to a video."""
        (frame,) = video['frames']
        frame['segmentations'][object_id] = annotation['segmentation']
        if annotation['bbox'] is not None:
            x, y, width, height = annotation['bbox']
            video['gt_boxes'][object_id] = [[x, y, x + width, y + height]]
        if annotation['label'] is not None:
            video['labels'][object_id] = annotation['label']

    # ------------------------------------------------------------ form 'coco'

    def read_coco(self) -> Iterator[Described]:
        """Yield the expressions of ``instances_<name>_<split>.json``."""
        file = self.split_file
        content = read_instances(file)
        labels = self.read_labels(content)
        of_image = defaultdict(list)
        for annotation in content['annotations']:
            of_image[annotation.get('image_id')].append(annotation)
        for index, image in enumerate(content['images']):
            field = f'images[{index}]'
            text = self.usable_text(
                image.get('caption'), file, f'{field}.caption'
            )
            name = self.usable_name(image, file, field)
            if text is None or name is None:
                continue
            found = self.usable_objects(
                of_image[image.get('id')], labels, file, field
            )
            if found is not None:
                listed = name, size_of(image)
                yield listed, self.refer(image, text, found), found

    # ---------------------------------------------------------- form 'pickle'

    def read_pickle(self) -> Iterator[Described]:
        """Yield the sentences of ``refs(...).p``."""
        file = self.refs_file
        refs = load_plain_pickle(file)
        if not isinstance(refs, list):
            raise InputError.of(file, 'content', refs, 'a list of references')
        instances = self.folder / 'instances.json'
        content = read_instances(instances)
        labels = self.read_labels(content)
        images = {image.get('id'): image for image in content['images']}
        annotations = {a.get('id'): a for a in content['annotations']}
        for index, ref in enumerate(refs):
            field = f'[{index}]'
            if not self.is_of_split(ref, field):
                continue
            image = images.get(ref.get('image_id'), {})
            name = self.usable_name(
                image, instances, f'image {ref.get("image_id")}'
            )
            annotation = annotations.get(ref.get('ann_id'))
            found = self.usable_objects(
                [] if annotation is None else [annotation],
                labels,
                file,
                f'{field} (ann_id {ref.get("ann_id")})',
            )
            if name is None or found is None:
                continue
            for number, sentence in enumerate(ref.get('sentences') or ()):
                if not isinstance(sentence, dict):
                    sentence = {'sent': None}
                text = self.usable_text(
                    sentence.get('sent', sentence.get('raw')),
                    file,
                    f'{field}.sentences[{number}].sent',
                )
                if text is not None:
                    listed = name, size_of(image)
                    yield listed, self.refer(sentence, text, found), found

    def is_of_split(self, ref: Any, field: str) -> bool:
        """Tell whether a reference is in the split; note unknown splits."""
        splits = SETS[self.name][1]
        split = ref.get('split') if isinstance(ref, dict) else ref
        if not isinstance(ref, dict) or split not in splits:
            self.skip(
                self.refs_file, f'{field}.split', split, f'one of {splits}'
            )
            return False
        check_ids(ref, self.refs_file, field)
        sentences = ref.get('sentences') or ()
        if not isinstance(sentences, (list, tuple)):
            raise InputError.of(
                self.refs_file, f'{field}.sentences', sentences, 'a list'
            )
        return split == self.split

    # ------------------------------------------------------------------- both

    def read_labels(self, content: Dict[str, Any]) -> Dict[int, int]:
        """Map the files' category ids to indices of ``classes``."""
        classes = list(self.metainfo.get('classes', ()))
        categories = content.get('categories')
        if not isinstance(categories, list):
            return {}
        return {
            category['id']: classes.index(category['name'])
            for category in categories
            if isinstance(category, dict)
            and isinstance(category.get('id'), (int, str))
            and category.get('name') in classes
        }

    def refer(
        self, entry: Dict[str, Any], text: str, objects: Dict[str, dict]
    ) -> Reference:
        """Make a reference from an image entry or a sentence."""
        return Reference(
            id=str(entry.get('sent_id', entry.get('id'))),
            text=text,
            object_ids=tuple(objects),
            cue=entry.get('kind'),
        )

    def usable_name(
        self, image: Dict[str, Any], file: Path, field: str
    ) -> Optional[str]:
        """Return an image's file name without folders; None if unusable."""
        name = image.get('file_name')
        if not isinstance(name, str) or not Path(name).name:
            self.skip(file, f'{field}.file_name', name, 'the name of an image')
            return None
        return Path(name).name

    def usable_objects(
        self,
        annotations: Sequence[Dict[str, Any]],
        labels: Dict[int, int],
        file: Path,
        field: str,
    ) -> Optional[Dict[str, dict]]:
        """Return the objects of a reference by id; None if unusable.

        In form 'coco' annotations are copies of COCO's, one per expression;
        ``original_id`` is COCO's id.
        """
        if not self.with_masks:
            return {}
        if not annotations:
            self.skip(file, f'{field}.annotation', None, 'an annotated object')
            return None
        found = {}
        for annotation in annotations:
            outline = annotation.get('segmentation')
            segmentation = clean_outline(outline)
            if segmentation is None:
                self.skip(
                    file,
                    f'{field}.segmentation',
                    outline,
                    'polygons of three points or more, or an RLE',
                )
                return None
            id = annotation.get('original_id', annotation.get('id'))
            box = annotation.get('bbox')
            found[str(id)] = dict(
                segmentation=segmentation,
                bbox=box if is_box(box) else None,
                label=labels.get(annotation.get('category_id', -1)),
            )
        return found


def list_tested_images(root: Path, form: Optional[str]) -> Set[str]:
    """List the images in the validation and test splits of all sets.

    Args:
        root: Folder with the sets.
        form: 'coco' or 'pickle'; None takes the first that is complete.

    Returns:
        File names, without folders.

    Raises:
        InputError: A list is missing or broken.
    """
    names: Set[str] = set()
    for name, (splitter, splits) in SETS.items():
        folder = root / name
        lists = [
            folder / f'instances_{name}_{split}.json'
            for split in splits
            if split != 'train'
        ]
        refs = folder / f'refs({splitter}).p'
        chosen = form
        if chosen is None:
            complete = all(map(Path.exists, lists)) or not refs.exists()
            chosen = 'coco' if complete else 'pickle'
        needed = (
            lists if chosen == 'coco' else [refs, folder / 'instances.json']
        )
        for file in needed:
            if not file.exists():
                raise missing_file(file, 'a list, for leave_out_tested_images')
        if chosen == 'coco':
            for file in lists:
                names |= names_in(file, file_stamp(file))
        else:
            stamps = tuple(map(file_stamp, needed))
            names |= tested_in(*needed, stamps, splits)
    return names


def file_stamp(file: Path) -> Tuple[int, int]:
    """Return what changes with a file's content: its time and size."""
    status = file.stat()
    return status.st_mtime_ns, status.st_size


# Each of the three sets asks for the lists of all.
@lru_cache(maxsize=32)
def names_in(file: Path, stamp: Tuple[int, int]) -> FrozenSet[str]:
    """Return the names of the images in a list of form 'coco'."""
    return frozenset(
        Path(str(image.get('file_name'))).name
        for image in read_instances(file)['images']
    )


@lru_cache(maxsize=8)
def tested_in(
    refs_file: Path,
    instances: Path,
    stamps: Tuple[Tuple[int, int], ...],
    splits: Tuple[str, ...],
) -> FrozenSet[str]:
    """Return the names of a pickle's images outside of 'train'."""
    refs = load_plain_pickle(refs_file)
    if not isinstance(refs, list):
        raise InputError.of(refs_file, 'content', refs, 'a list of references')
    tested = set()
    for index, ref in enumerate(refs):
        split = ref.get('split') if isinstance(ref, dict) else None
        if split in splits and split != 'train':
            check_ids(ref, refs_file, f'[{index}]')
            tested.add(ref.get('image_id'))
    return frozenset(
        Path(str(image.get('file_name'))).name
        for image in read_instances(instances)['images']
        if image.get('id') in tested
    )


def check_choice(field: str, value: str, choices: Tuple[str, ...]) -> None:
    """Raise InputError unless a value is one of the choices."""
    if value not in choices:
        raise InputError.of(
            'RefCOCODataset', field, value, f'one of {choices}'
        )


def clean_outline(segmentation: Any) -> Any:
    """Return an RLE, or the polygons with an area; None if neither."""
    if isinstance(segmentation, dict):
        whole = 'counts' in segmentation and 'size' in segmentation
        return segmentation if whole else None
    if not isinstance(segmentation, list):
        return None
    polygons = [
        polygon
        for polygon in segmentation
        if isinstance(polygon, list)
        and len(polygon) >= SHORTEST_POLYGON
        and len(polygon) % 2 == 0
    ]
    return polygons or None


def read_instances(file: Path) -> Dict[str, Any]:
    """Read a file in COCO's form; raise InputError for another form."""
    content = load_json(file)
    for key in ('images', 'annotations'):
        found = content.get(key) if isinstance(content, dict) else None
        if not isinstance(found, list):
            raise InputError.of(file, key, found, f'the list of {key}')
        for index, entry in enumerate(found):
            if not isinstance(entry, dict):
                raise InputError.of(
                    file, f'{key}[{index}]', entry, 'an entry with names'
                )
            check_ids(entry, file, f'{key}[{index}]')
    return content


def check_ids(entry: Dict[str, Any], file: Path, field: str) -> None:
    """Raise InputError if an id of an entry is no number or text."""
    for name in IDS:
        id = entry.get(name)
        if id is not None and not isinstance(id, (int, str)):
            raise InputError.of(file, f'{field}.{name}', id, 'an id')


def size_of(image: Dict[str, Any]) -> Optional[Tuple[int, int]]:
    """Return the (height, width) of an image entry, None if not listed."""
    height, width = image.get('height'), image.get('width')
    if isinstance(height, int) and isinstance(width, int):
        return height, width
    return None


def is_box(box: Any) -> bool:
    """Tell whether a value is x, y, width and height."""
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(number, (int, float)) for number in box)
        and all(map(isfinite, box))
    )


def check_layout(data_root: str) -> List[str]:
    """List the files of RefCOCO, RefCOCO+ and RefCOCOg that are missing.

    Images are those that the lists name.

    Args:
        data_root: Folder with the images and the sets.

    Returns:
        One line per file: the path and what belongs there.
    """
    root = Path(data_root)
    images = root / IMAGES
    missing = []
    if images.is_dir():
        present = {path.name for path in images.iterdir()}
    else:
        present = None
        missing.append(f"{images}: COCO's train2014 images (.jpg)")
    for name, (splitter, splits) in SETS.items():
        folder = root / name
        refs, instances = folder / f'refs({splitter}).p', 'instances.json'
        if refs.exists() and not (folder / instances).exists():
            missing.append(f'{folder / instances}: what {refs.name} refers to')
        for split in splits:
            file = folder / f'instances_{name}_{split}.json'
            if not file.exists() and not refs.exists():
                missing.append(
                    f'{file}: the {split} expressions of {name} in '
                    f"COCO's form (or {refs.name} and {instances})"
                )
        if present is not None:
            missing += missing_images(folder, images, present)
    return missing


def missing_images(folder: Path, images: Path, present: set) -> List[str]:
    """Name the missing images of each list, one line per list."""
    lines = []
    for file in sorted(folder.glob('instances*.json')):
        names = {
            Path(str(image.get('file_name'))).name
            for image in read_instances(file)['images']
        }
        absent = sorted(names - present)
        if absent:
            lines.append(
                f'{images / absent[0]}: an image that {file} names'
                + (f', and {len(absent) - 1} more' if absent[1:] else '')
            )
    return lines
