-- reading: how one rule's cases come out under one reading, from the findings as they stand.
select
    $rule_id,
    $variant,
    $choice,
    count(*) filter (where verdict = 'conformant') as conformant,
    count(*) filter (where verdict = 'non_conformant') as non_conformant,
    count(*) filter (where verdict = 'not_evaluable') as not_evaluable
from findings
where rule_id = $rule_id;
