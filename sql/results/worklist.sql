-- The cases for the worklists: those for review and those that could not be judged, with what the record shows as a
-- list of words in the order of the evidence. Patient level.
with shown as (
    select
        f.rule_id,
        f.subject_id,
        list(
            replace(e.key, '_', ' ') || ': '
            || case
                when e.type = 'ARRAY' then array_to_string(cast(e.value as varchar[]), ', ') else
                    coalesce(e.atom ->> '$', cast(e.value as varchar))
            end
            order by e.id
        ) as shows
    from findings as f
    cross join lateral json_each(f.evidence) as e
    where
        f.verdict in ('non_conformant', 'not_evaluable')
        and e.type <> 'NULL'
    group by
        f.rule_id,
        f.subject_id
)

select
    coalesce(f.site_id, '(not recorded)') as site_id,
    coalesce(s.name, f.site_id, '(not recorded)') as site,
    f.rule_id,
    f.subject_id,
    f.patient_id,
    f.tumour_id,
    f.verdict,
    f.reason,
    f.decision_date,
    f.due_date,
    f.margin_days,
    f.missing,
    g.gap,
    h.evidence_hash,
    coalesce(w.shows, []) as shows
from findings as f
left join sites as s on f.site_id = s.site_id
left join gaps as g on f.rule_id = g.rule_id and f.subject_id = g.subject_id
inner join case_hashes as h on f.rule_id = h.rule_id and f.subject_id = h.subject_id
left join shown as w on f.rule_id = w.rule_id and f.subject_id = w.subject_id
where f.verdict in ('non_conformant', 'not_evaluable')
