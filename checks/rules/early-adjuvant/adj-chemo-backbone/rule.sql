-- Adjuvant trastuzumab is given with a recommended chemotherapy.
-- denominator: index tumours operated on first, HER2-positive, M0, above 10 mm or node-positive, adjuvant trastuzumab.
with operated as (
    select
        t.*,
        case
            when d.first_trastuzumab_date < coalesce(t.recurrence_date, date '9999-12-31') then d.first_trastuzumab_date
        end as trastuzumab_date,
        coalesce(y.first_trial_date < coalesce(t.recurrence_date, date '9999-12-31'), false) as in_trial,
        case
            when t.over_10_mm or t.node_positive or t.inflammatory then true
            when not t.over_10_mm and not t.node_positive then false
        end as in_scope,
        case
            when t.over_50_mm or t.inflammatory then false
            when not t.over_20_mm then true
            else t.size_mm <= $paclitaxel_limit_mm
        end as within_paclitaxel_limit
    from fct_tumours as t
    left join fct_first_doses as d on t.episode_key = d.episode_key
    left join fct_first_trials as y on t.episode_key = y.episode_key
    where t.is_index
),

-- Trastuzumab without its day may have come first, and so before the rule was in force.
undated as (
    select distinct d.patient_key
    from fct_undated_doses as d
    inner join ingredients as i on d.ingredient = i.ingredient
    where i.is_trastuzumab
),

treated as (
    select
        o.*,
        u.patient_key is not null as trastuzumab_undated,
        c.episode_key is not null as has_chemotherapy,
        c.last_date,
        c.given,
        c.stop_reason,
        c.is_open,
        c.in_sequence,
        c.named_once,
        c.unnamed_taxane and c.anthracycline = 0 and $backbone = 'any-listed' as taxane_not_named,
        coalesce(least(o.trastuzumab_date, c.first_date), o.trastuzumab_date) as decision_date,
        coalesce(c.last_date, o.trastuzumab_date) + $open_course_days as closed_date,
        coalesce(c.anthracycline, 0) as anthracycline,
        coalesce(c.taxane, 0) as taxane,
        coalesce(c.paclitaxel, 0) as paclitaxel,
        coalesce(c.docetaxel_carboplatin, 0) as docetaxel_carboplatin,
        coalesce(c.docetaxel_cyclophosphamide, 0) as docetaxel_cyclophosphamide,
        coalesce(c.paclitaxel_alone, false) as paclitaxel_alone,
        greatest(c.anthracycline, c.most_anthracycline) as most_anthracycline,
        greatest(c.taxane, c.most_taxane) as most_taxane,
        greatest(c.paclitaxel, c.most_paclitaxel) as most_paclitaxel,
        c.most_docetaxel_carboplatin,
        c.most_docetaxel_cyclophosphamide
    from operated as o
    left join fct_adjuvant_chemotherapy as c on o.episode_key = c.episode_key
    left join undated as u on o.patient_key = u.patient_key
),

-- Whether paclitaxel alone is listed for this stage; null where the stage decides and is not known.
staged as (
    select
        *,
        case
            when $backbone <> 'any-listed' or not paclitaxel_alone then 'none'
            when node_positive then 'flag-node-positive-deescalated'
            when within_paclitaxel_limit then 'paclitaxel-trastuzumab'
            when not node_positive and not within_paclitaxel_limit then 'none'
        end as paclitaxel_option,
        paclitaxel >= $min_paclitaxel_doses * $weekly_days as paclitaxel_enough,
        most_paclitaxel >= $min_paclitaxel_doses * $weekly_days as paclitaxel_perhaps_enough
    from treated
),

judged as (
    select
        *,
        case
            when
                anthracycline >= $min_anthracycline_cycles * $three_weekly_days
                and taxane >= $min_taxane_cycles * $three_weekly_days then 'anthracycline-taxane'
            when $backbone = 'anthracycline-taxane' then null
            when docetaxel_carboplatin >= $min_docetaxel_carboplatin_cycles * $three_weekly_days
                then 'docetaxel-carboplatin'
            when docetaxel_cyclophosphamide >= $min_docetaxel_cyclophosphamide_cycles * $three_weekly_days
                then 'docetaxel-cyclophosphamide'
            when paclitaxel_enough and paclitaxel_option <> 'none' then paclitaxel_option
        end as backbone,
        (anthracycline > 0 and taxane > 0)
        or ($backbone = 'any-listed' and (docetaxel_carboplatin > 0 or docetaxel_cyclophosphamide > 0)) as is_combined,
        is_combined or paclitaxel_option <> 'none' as is_begun,
        -- The days that a course was unfolded to are not known, nor is their number: they accuse nobody.
        coalesce(
            most_anthracycline >= $min_anthracycline_cycles * $three_weekly_days
            and most_taxane >= $min_taxane_cycles * $three_weekly_days,
            false
        )
        or (
            $backbone <> 'anthracycline-taxane'
            and (
                most_docetaxel_carboplatin >= $min_docetaxel_carboplatin_cycles * $three_weekly_days
                or most_docetaxel_cyclophosphamide >= $min_docetaxel_cyclophosphamide_cycles * $three_weekly_days
                or (paclitaxel_perhaps_enough and paclitaxel_option <> 'none')
            )
        ) as perhaps_listed,
        paclitaxel_option is null and (paclitaxel_perhaps_enough or named_once) as stage_decides
    from staged
),

toxicities as (
    select
        j.episode_key,
        min(e.reason) as reason
    from judged as j
    inner join fct_toxicity_stops as e on j.episode_key = e.episode_key
    where e.event_date between j.decision_date and j.closed_date
    group by j.episode_key
),

weighed as (
    select
        j.*,
        x.reason as event_reason
    from judged as j
    left join toxicities as x on j.episode_key = x.episode_key
)

select
    'adjuvant' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    case
        when $backbone <> 'any-listed' or anthracycline > 0 then 'default'
        when docetaxel_carboplatin > 0 then 'docetaxel-carboplatin'
        when coalesce(paclitaxel_option, 'unknown') <> 'none' then 'paclitaxel-alone'
        else 'default'
    end as edition,
    decision_date,
    case when trastuzumab_undated then first_surgery_date end as perhaps_decided_from,
    closed_date as due_date,
    decision_date as clock_start,
    coalesce(diagnosis_date, date '0001-01-01') as observed_from,
    date '0001-01-01' as drugs_from,
    closed_date as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when pathway <> 'surgery-first' then 'not-surgery-first'
        when trastuzumab_date is null then 'no-adjuvant-trastuzumab'
        when not in_scope then 'small-tumour'
    end as excluded,
    case
        when first_surgery_date is null then 'surgery-undated'
        when in_scope is null then 'stage-unknown'
        when backbone is not null then null
        when taxane_not_named then 'taxane-not-named'
        when stage_decides then 'stage-unknown'
        -- Paclitaxel alone is made no longer by another drug's open course; its own is perhaps listed.
        when is_combined and (is_open or (in_sequence and not named_once)) then 'no-end-date'
        when is_begun and named_once then null
        when perhaps_listed and is_open then 'no-end-date'
        when perhaps_listed then 'doses-not-dated'
    end as missing_reason,
    case missing_reason
        when 'surgery-undated' then ['surgeries.surgery_date']
        when 'taxane-not-named' then ['treatments.drug']
        when 'no-end-date' then ['treatments.end_date']
        when 'doses-not-dated' then ['treatments.start_date']
        when 'stage-unknown'
            then
                case
                    when node_positive is null and in_scope is null and over_10_mm is null
                        then ['tumours.pathological_t', 'tumours.pathological_n']
                    when node_positive is null then ['tumours.pathological_n']
                    when in_scope is null then ['tumours.pathological_t']
                    else ['tumours.pathological_size_mm']
                end
    end as missing,
    coalesce(backbone, case when is_begun and named_once then 'regimen-name' end) as met,
    case when in_trial then 'trial' else coalesce(stop_reason, event_reason) end as excepted,
    ['chemotherapy'] as lacking,
    case
        when not has_chemotherapy then 'no-chemotherapy'
        when taxane = 0 then 'no-taxane'
        when is_begun or paclitaxel_option is null then 'regimen-short'
        else 'backbone-not-listed'
    end as failed,
    case when excluded is null then to_json(struct_pack(
        chemotherapy_after_surgery := given,
        listed_backbone := backbone,
        chemotherapy_closed_on := closed_date,
        first_surgery_date := first_surgery_date,
        first_trastuzumab_date := trastuzumab_date,
        t := t,
        n := n,
        size_mm := size_mm,
        her2_basis := her2_basis
    )) end as evidence
from weighed
