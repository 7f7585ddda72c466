-- fct_her2_status: one row a tumour: its HER2 status before the first systemic dose of its episode.
-- A later sample never overwrites an earlier one; with no earlier one a later positive counts and a later negative
-- leaves the status unknown. The registry's summary decides only where no assay was made at all.
-- her2_basis: assay, later-assay, summary or none.
-- her2_positive_date: the first positive result; her2_positive_specimen_date: when the first such sample was taken.
create or replace table fct_her2_status as
with placed as (
    select
        e.patient_key,
        e.tumour_id,
        s.result,
        s.result_date,
        s.specimen_date,
        s.ihc,
        s.ish_negative,
        s.ish_positive,
        s.specimen_date <= coalesce(d.first_systemic_date, s.specimen_date) as before_treatment,
        s.specimen_site <> 'metastasis' or p.m_status = 'm1' as of_the_primary
    from fct_episodes as e
    inner join fct_spread as p on e.patient_key = p.patient_key and e.tumour_id = p.tumour_id
    inner join fct_specimens as s on e.patient_key = s.patient_key and e.tumour_id = s.tumour_id
    left join fct_first_doses as d on e.episode_key = d.episode_key
    where s.result is not null
),

weighed as (
    select
        patient_key,
        tumour_id,
        case
            when bool_or(before_treatment and of_the_primary and result = 'positive') then 'positive'
            when bool_or(before_treatment and of_the_primary and result = 'equivocal') then 'equivocal'
            when bool_or(before_treatment and of_the_primary) then 'negative'
            when bool_or(of_the_primary and result = 'positive') then 'positive'
            when bool_or(of_the_primary) then 'unknown'
        end as assay_status,
        bool_or(before_treatment and of_the_primary) as assayed_before,
        min(result_date) filter (where of_the_primary and result = 'positive') as positive_date,
        min(specimen_date) filter (where of_the_primary and result = 'positive') as positive_specimen_date,
        bool_or(of_the_primary and ihc = '3+' and ish_negative and not ish_positive) as ihc_ish_discordant
    from placed
    group by
        patient_key,
        tumour_id
)

select
    t.patient_key,
    t.tumour_id,
    coalesce(
        w.assay_status,
        case t.her2_summary when 'positive' then 'positive' when 'negative' then 'negative' end,
        'unknown'
    ) as her2_status,
    case
        when w.assay_status is not null and w.assayed_before then 'assay'
        when w.assay_status is not null then 'later-assay'
        when t.her2_summary in ('positive', 'negative') then 'summary'
        else 'none'
    end as her2_basis,
    w.positive_date as her2_positive_date,
    w.positive_specimen_date as her2_positive_specimen_date,
    coalesce(w.ihc_ish_discordant, false) as ihc_ish_discordant
from stg_tumours as t
left join weighed as w on t.patient_key = w.patient_key and t.tumour_id = w.tumour_id;
