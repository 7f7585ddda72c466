-- whole_numbers: 1, 2, 3 and so on, to turn a course into its doses.
create or replace table whole_numbers as
select cast(unnest(generate_series(1, 600)) as integer) as n;
