"""Where the S3 sink puts records that are not one after the other in one folder, in the real Connect worker."""

import json

from tests.contract.sandbox_env.test_s3_sink import LAST_DAY_OF_2023, NO_ROTATION, wait_for


def test_one_rotation_over_midnight_leaves_two_objects_whose_offsets_interleave(sink):
    sink.send("a", timestamp_ms=LAST_DAY_OF_2023 + 800)
    sink.send("b", timestamp_ms=LAST_DAY_OF_2023 + 1005)
    sink.send("c", timestamp_ms=LAST_DAY_OF_2023 + 980)

    sink.create(**NO_ROTATION, **{"flush.size": "3"})

    wait_for(lambda: len(sink.objects()) == 2)
    assert set(sink.objects()) == {
        f"dt=2023-12-31/{sink.topic}+0+0000000000.json.gz",
        f"dt=2024-01-01/{sink.topic}+0+0000000001.json.gz",
    }
    assert [json.loads(line)["kafka_offset"] for line in sink.lines()] == [0, 2, 1]


def test_a_topic_created_again_lands_beside_its_old_objects_in_a_folder_of_its_own(sink):
    """Without one, the sink would write over an object: both begin at offset 0."""
    posts = {"old": [f"post {number}" for number in range(5)], "new": [f"post {number}" for number in range(100, 105)]}
    sink.send(*posts["old"], timestamp_ms=LAST_DAY_OF_2023)
    sink.create(**NO_ROTATION, **{"flush.size": "5"})
    wait_for(sink.objects)
    before = sink.objects()

    sink.create_topic_again()
    sink.send(*posts["new"], timestamp_ms=LAST_DAY_OF_2023)
    sink.create(**NO_ROTATION, **{"flush.size": "5", "topics.dir": f"test-2/{sink.topic}"})

    wait_for(lambda: sink.objects(f"test-2/{sink.topic}"))
    assert sink.objects() == before
    assert sink.objects(f"test-2/{sink.topic}").keys() == before.keys()
    assert [json.loads(line)["payload"] for line in sink.lines()] == posts["old"]
    assert [json.loads(line)["payload"] for line in sink.lines(f"test-2/{sink.topic}")] == posts["new"]
