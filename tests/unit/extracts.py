"""Small extracts as CSV files, from rows as dicts."""

import csv


def write_extract(folder, tables):
    """Writes a file a table; rows may lack columns of one another. Gives the folder."""
    folder.mkdir(parents=True)
    for name, rows in tables.items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    return folder
