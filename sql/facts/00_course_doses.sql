-- course_doses: the doses of a course by how many follow its first one: 0 alone, or 0, 1, 2 and so on.
-- A join on it unfolds a course without making a list for each of millions of single administrations.
create or replace table course_doses as
with numbers as (
    select cast(unnest(generate_series(0, $longest_course_doses)) as integer) as n
)

select
    f.n as later_doses,
    d.n as dose_number
from numbers as f
inner join numbers as d on f.n >= d.n;
