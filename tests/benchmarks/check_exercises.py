"""Every exercise for 200 students: right answers pass, ten wrong ones fail with a fitting hint, garbage gets a hint.

``python -m tests.benchmarks.check_exercises 200``; no part of the checks, which take a few students each time.
"""

from __future__ import annotations

import re
import sys
import time

from tests.exercise_answers import EXERCISES, answers, check, garbage


def main(students: int) -> None:
    for exercise in EXERCISES:
        start, longest, wrongs = time.process_time(), 0.0, 0
        for student in range(students):
            begin = time.process_time()
            check(exercise)(None, student=student)
            longest = max(longest, time.process_time() - begin)
            right, wrong = answers(exercise, student)
            grade = check(exercise)(right, student=student)
            assert grade.passed, (exercise, student, grade)
            for answer, said in wrong:
                grade = check(exercise)(answer, student=student)
                assert not grade.passed, (exercise, student, answer, grade)
                assert re.search(said, grade.feedback), (exercise, student, said, grade)
                assert "Hint: " in grade.feedback, (exercise, student, grade)
            for answer in garbage():
                grade = check(exercise)(answer, student=student)
                assert grade.score == 0, (exercise, student, grade)
                assert "Hint: " in grade.feedback, (exercise, student, grade)
            wrongs += len(wrong)
        spent = time.process_time() - start
        print(
            f"{exercise:17} {students} students: {students} right answers pass, {wrongs} wrong ones get their hint, "
            f"{students * len(garbage())} pieces of garbage get one; longest first check {longest:.2f} s, {spent:.0f} s"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
