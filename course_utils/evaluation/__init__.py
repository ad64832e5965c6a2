"""How good a pocket model of the world in three dimensions is, measured as its users draw.

    python -m course_utils.evaluation [what ...] --model FOLDER

Today's bundled model draws the flat world; `course_utils.training.evaluate` measures it.
"""
