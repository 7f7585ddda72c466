-- gaps: what a case that could not be judged lacks: all the fields together, or exact dates. Where dates are too
-- imprecise, the finding names every imprecise date of the patient, and exact ones settle it.
create or replace view gaps as
select
    rule_id,
    subject_id,
    site_id,
    case
        when reason = 'imprecise-date' then 'exact dates'
        else coalesce(array_to_string(list_sort(list_distinct(missing)), ' + '), 'not named')
    end as gap
from findings
where verdict = 'not_evaluable';

-- repairs: what would settle the cases that could not be judged, by rule, for the registry (no site) and each site.
-- A case counts once, under all the fields it lacks together: it is settled only when each of them is repaired. So the
-- rows of a rule add up to its cases not evaluable.
-- bound_width: how far apart the bounds of the rate lie, now and once these cases are judged, taken that they then
-- stand in the rate, met or for review. Those that turn out to be outside it narrow the bounds less.
create or replace table repairs as
with lacking as (
    select
        rule_id,
        coalesce(site_id, '(not recorded)') as site,
        gap as field
    from gaps
),

settled as (
    select
        rule_id,
        site as site_id,
        field,
        count(*) as verdicts_settled
    from lacking
    group by grouping sets (
        (rule_id, field),
        (rule_id, site, field)
    )
),

rated as (
    select
        rule_id,
        case when level = 'site' then group_id end as site_id,
        not_evaluable,
        conformant + non_conformant + not_evaluable as cases
    from rates
    where level in ('registry', 'site')
)

select
    s.rule_id,
    s.site_id,
    s.field,
    s.verdicts_settled,
    cast(r.not_evaluable as double) / r.cases as bound_width_now,
    cast(r.not_evaluable - s.verdicts_settled as double) / r.cases as bound_width_after,
    cast(s.verdicts_settled as double) / r.cases as narrowing
from settled as s
inner join rated as r on s.rule_id = r.rule_id and s.site_id is not distinct from r.site_id;
