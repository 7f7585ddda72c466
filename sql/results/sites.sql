-- The verdicts of the findings as they stand, by site; a site that is not recorded stands under no id.
select
    site_id,
    count(*) filter (where verdict = 'conformant') as conformant,
    count(*) filter (where verdict = 'non_conformant') as non_conformant,
    count(*) filter (where verdict = 'not_evaluable') as not_evaluable,
    count(*) filter (where verdict = 'excepted') as excepted,
    count(*) filter (where verdict = 'pending') as pending
from findings
group by site_id
order by site_id
