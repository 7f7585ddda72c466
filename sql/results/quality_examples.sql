-- quality_examples: for each failed expectation the first rows that break it, by number alone: safe to share.
create or replace table quality_examples as
with numbered as (
    select
        check_id,
        row_number as row_in_file,
        row_number() over (partition by check_id order by row_number) as turn
    from quality_rows
    where row_number is not null
)

select
    check_id,
    list_sort(list(row_in_file)) as examples
from numbered
where turn <= 5
group by check_id;
