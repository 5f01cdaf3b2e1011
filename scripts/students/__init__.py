"""The study of students: what tests of training see, and whom they wrong; on `stillwatch.prove.school`."""
