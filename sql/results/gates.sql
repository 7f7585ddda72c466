-- gated_sites: for one rule and each site, the cases in which a stream is expected and those in which it is seen.
-- A case counts wherever the rule says that the stream is expected, in its population or not: a rule that leaves out
-- who has no radiotherapy would else find it linked everywhere. On the middle placement of imprecise dates, so that
-- every case counts once.
insert into gated_sites
with counted as (
    select
        v.site_id,
        count(*) as expected,
        count(*) filter (where v.gate_seen) as seen
    from verdict_inputs as v
    inner join cases as c on v.patient_key = c.patient_key
    left join rule_editions as e on coalesce(v.edition, 'default') = e.edition
    where
        c.placement = 'middle'
        and coalesce(v.decision_date >= coalesce(e.since, date '9999-12-31'), true)
        and v.gate_expected
    group by v.site_id
)

select
    $rule_id,
    site_id,
    $gate_stream,
    expected,
    seen,
    cast(seen as double) / expected as share,
    seen = 0 or seen < cast($gate_share as decimal(5, 4)) * expected as gated
from counted;
