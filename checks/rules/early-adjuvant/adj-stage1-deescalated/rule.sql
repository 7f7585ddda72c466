-- Stage I disease operated on first is treated with paclitaxel and trastuzumab, without anthracycline or pertuzumab.
-- denominator: index tumours, surgery first, HER2-positive, M0, pT1a to pT1c, pN0, HER2 treatment with chemotherapy.
with operated as (
    select
        t.*,
        p.observable_through,
        p.death_date,
        coalesce(t.recurrence_date, date '9999-12-31') as recurs_date,
        y.first_trial_date,
        case
            when t.inflammatory then false
            when t.pathological_t in ('1', '1a', '1b', '1c') then true
            when t.pathological_t is not null then false
            else t.pathological_size_mm > 1 and t.pathological_size_mm <= $t1_limit_mm
        end as is_pt1,
        case
            when t.pathological_n in ('0', '0(i+)') then true
            when t.pathological_n is not null then false
        end as is_pn0
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join fct_first_trials as y on t.episode_key = y.episode_key
    where t.is_index
),

her2_drugs as (
    select
        o.episode_key,
        min(s.first_dose_date) as first_her2_date,
        min(s.first_dose_date) filter (where s.is_trastuzumab) as trastuzumab_date,
        min(s.first_dose_date) filter (where s.ingredient = 'pertuzumab') as pertuzumab_date
    from operated as o
    inner join fct_drug_spans as s on o.episode_key = s.episode_key
    where
        o.pathway = 'surgery-first'
        and s.is_her2
        and s.setting = 'curative'
        and s.first_dose_date < o.recurs_date
    group by o.episode_key
),

other_tumours as (
    select distinct o.episode_key
    from operated as o
    inner join fct_tumours as x on o.episode_key = x.episode_key and o.tumour_id <> x.tumour_id
    where
        x.invasive
        and (coalesce(x.over_20_mm, true) or coalesce(x.node_positive, true) or x.inflammatory)
),

treated as (
    select
        o.*,
        h.first_her2_date,
        h.trastuzumab_date,
        h.pertuzumab_date,
        c.episode_key is not null as has_chemotherapy,
        c.given,
        c.stop_reason,
        c.first_anthracycline_date,
        c.unnamed_taxane,
        c.paclitaxel_not_counted as not_counted,
        c.paclitaxel,
        c.paclitaxel >= $min_paclitaxel_doses * $weekly_days as paclitaxel_enough,
        x.episode_key is not null or c.beside as has_other_tumour,
        least(h.first_her2_date, c.first_date) as decision_date,
        c.series_end + $open_course_days as closed_date
    from operated as o
    left join her2_drugs as h on o.episode_key = h.episode_key
    left join fct_adjuvant_chemotherapy as c on o.episode_key = c.episode_key
    left join other_tumours as x on o.episode_key = x.episode_key
),

judged as (
    select
        *,
        case
            when first_anthracycline_date is not null then first_anthracycline_date
            when pertuzumab_date <= closed_date then pertuzumab_date
        end as escalated_date,
        trastuzumab_date is not null and paclitaxel_enough as has_regimen,
        least(closed_date, recurs_date, coalesce(death_date, closed_date)) as settled_date,
        case when is_pt1 and is_pn0 then true when not is_pt1 or not is_pn0 then false end as in_scope
    from treated
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    decision_date,
    closed_date as due_date,
    coalesce(escalated_date, closed_date) as open_until,
    case when escalated_date is null and not has_regimen then decision_date end as clock_start,
    case when escalated_date is null then coalesce(diagnosis_date, date '0001-01-01') end as observed_from,
    date '0001-01-01' as drugs_from,
    case when escalated_date is null then closed_date end as drugs_through,
    case
        when $stage_i = 'dual-for-all' then 'void-by-variant'
        when outside_early_her2 is not null then outside_early_her2
        when pathway <> 'surgery-first' then 'not-surgery-first'
        when first_her2_date is null then 'no-her2-therapy'
        when not has_chemotherapy then 'no-chemotherapy'
        when not in_scope then 'not-stage-i'
        when has_other_tumour then 'other-tumour'
    end as excluded,
    case
        when first_surgery_date is null then 'surgery-undated'
        when in_scope is null then 'stage-unknown'
        when escalated_date is not null or paclitaxel_enough or closed_date > observable_through then null
        when unnamed_taxane then 'taxane-not-named'
        when not_counted then 'no-end-date'
    end as missing_reason,
    case
        when first_surgery_date is null then ['surgeries.surgery_date']
        when is_pt1 is null and is_pn0 is null then ['tumours.pathological_t', 'tumours.pathological_n']
        when is_pn0 is null then ['tumours.pathological_n']
        when is_pt1 is null then ['tumours.pathological_t']
        when unnamed_taxane then ['treatments.drug']
        else ['treatments.end_date']
    end as missing,
    case
        when escalated_date is null and has_regimen and settled_date <= observable_through then 'deescalated'
    end as met,
    case
        when escalated_date is null and has_regimen then null
        when first_trial_date < recurs_date then 'trial'
        when escalated_date is null then stop_reason
    end as excepted,
    case when escalated_date is null and has_regimen then [] else ['regimen'] end as lacking,
    case
        when first_anthracycline_date is not null then 'anthracycline-given'
        when escalated_date is not null then 'pertuzumab-given'
        when trastuzumab_date is null then 'no-trastuzumab'
        when paclitaxel = 0 then 'paclitaxel-not-recorded'
        else 'paclitaxel-short'
    end as failed,
    case when excluded is null then to_json(struct_pack(
        pathological_t := pathological_t,
        pathological_n := pathological_n,
        pathological_size_mm := pathological_size_mm,
        first_surgery_date := first_surgery_date,
        chemotherapy_after_surgery := given,
        chemotherapy_closed_on := closed_date,
        first_trastuzumab_date := trastuzumab_date,
        first_pertuzumab_date := pertuzumab_date,
        her2_basis := her2_basis
    )) end as evidence
from judged
