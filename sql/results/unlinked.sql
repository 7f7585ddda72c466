-- verdict_inputs of a rule whose stream is not linked: nobody it may concern can be evaluated. A rule on metastatic
-- disease is judged by the edition in force at the metastasis, where that is known.
select
    t.patient_key,
    t.tumour_id,
    t.site_id,
    t.episode_key,
    s.subject_part,
    coalesce(
        case when list_contains($codes, 'not-metastatic') then t.metastatic_date end,
        t.diagnosis_date
    ) as decision_date,
    case
        when not t.invasive then 'in-situ'
        when t.m_status = 'm1' and list_contains($codes, 'metastatic') then 'metastatic'
        when
            t.metastatic_date is null
            and list_contains($codes, 'not-metastatic')
            and not list_contains($streams, 'events') then 'not-metastatic'
        when t.her2_status = 'negative' and list_contains($codes, 'her2-negative') then 'her2-negative'
        when t.her2_status <> 'positive' and list_contains($codes, 'her2-unknown') then 'her2-unknown'
        when
            coalesce(t.pathological_t, t.pathological_n) is not null and list_contains($codes, 'not-neoadjuvant')
            then 'not-neoadjuvant'
    end as excluded,
    'stream-not-linked' as missing_reason,
    $streams as missing,
    '{}' as evidence
from fct_tumours as t
cross join rule_subject_parts as s
where t.is_index
