-- The heart is measured before the first dose of a HER2 antibody, T-DM1 or T-DXd.
-- denominator: the first such dose of early and of metastatic disease.
with subjects as (
    select
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        t.invasive,
        s.setting,
        s.first_dose_date,
        s.first_pertuzumab_date,
        s.first_known_date,
        s.known_pertuzumab_date,
        case when s.first_pertuzumab_date is not null then s.last_anthracycline_date end as last_anthracycline_date
    from fct_tumours as t
    left join fct_her2_settings as s on t.episode_key = s.episode_key
    where t.is_index
),

assessments as (
    select
        s.episode_key,
        s.setting,
        max(a.assessment_date) filter (where a.assessment_date <= s.first_dose_date) as last_before_date,
        min(a.assessment_date) filter (where a.assessment_date > s.first_dose_date) as first_after_date,
        bool_or(
            a.assessment_date between s.last_anthracycline_date and s.first_pertuzumab_date
        ) as after_anthracycline,
        bool_or(
            a.assessment_date between s.first_dose_date - $lvef_baseline_days
            and coalesce(s.first_known_date, date '9999-12-31')
        ) as perhaps_before,
        bool_or(
            a.assessment_date between s.last_anthracycline_date
            and coalesce(s.known_pertuzumab_date, date '9999-12-31')
        ) as perhaps_after_anthracycline
    from subjects as s
    inner join stg_cardiac_assessments as a on s.patient_key = a.patient_key
    group by
        s.episode_key,
        s.setting
),

telling as (
    select
        s.episode_key,
        s.setting,
        a.assessment_date,
        a.method,
        a.lvef_percent,
        a.result,
        row_number() over (
            partition by s.episode_key, s.setting
            order by a.assessment_date desc, a.lvef_percent desc nulls last, a.result desc
        ) as position
    from subjects as s
    inner join stg_cardiac_assessments as a on s.patient_key = a.patient_key
    where
        a.assessment_date between s.first_dose_date - $lvef_baseline_days and s.first_dose_date
        and coalesce(cast(a.lvef_percent as varchar), a.result) is not null
),

decisions as (
    select distinct s.episode_key
    from subjects as s
    inner join stg_exceptions as x on s.patient_key = x.patient_key
    inner join rule_topics as t on x.topic_name = t.topic and t.part = 'decision'
    left join fct_episodes as e on x.patient_key = e.patient_key and x.tumour_id = e.tumour_id
    where
        x.reason in ('mdt-documented-deviation', 'contraindication-cardiac')
        and (x.tumour_id is null or e.episode_key = s.episode_key)
),

other_her2_drugs as (
    select distinct episode_key
    from fct_drug_spans
    where is_her2
),

recorded as (
    select
        patient_key,
        max(span_days) > $month_days as year_only
    from stg_cardiac_assessments
    group by patient_key
),

judged as (
    select
        s.*,
        a.last_before_date,
        a.first_after_date,
        b.assessment_date as baseline_date,
        b.method,
        b.lvef_percent,
        b.result,
        o.episode_key is not null as other_her2,
        r.patient_key is not null as seen,
        coalesce(r.year_only, false) as year_only,
        coalesce(a.last_before_date >= s.first_dose_date - $lvef_baseline_days, false) as in_time,
        coalesce(a.first_after_date <= s.first_dose_date + $grace_days, false) as late,
        s.last_anthracycline_date is null or coalesce(a.after_anthracycline, false) as after_anthracycline,
        -- A regimen's name that holds them after an anthracycline does not tell when they began.
        coalesce(s.first_known_date > s.first_dose_date, true)
        and (coalesce(a.perhaps_before, false) or s.first_known_date is null) as began_later,
        coalesce(a.perhaps_after_anthracycline, false) or s.known_pertuzumab_date is null as pertuzumab_began_later,
        coalesce(b.lvef_percent < $lvef_low, false) as low,
        b.lvef_percent is null and coalesce(b.result <> 'normal', true) as untold,
        d.episode_key is not null as decided
    from subjects as s
    left join assessments as a on s.episode_key = a.episode_key and s.setting = a.setting
    left join telling as b on s.episode_key = b.episode_key and s.setting = b.setting and b.position = 1
    left join decisions as d on s.episode_key = d.episode_key
    left join other_her2_drugs as o on s.episode_key = o.episode_key
    left join recorded as r on s.patient_key = r.patient_key
)

select
    case setting when 'metastatic' then 'her2-metastatic' else 'her2-early' end as subject_part,
    case setting when 'metastatic' then 'metastatic' else 'default' end as edition,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_dose_date as decision_date,
    first_dose_date as due_date,
    date '0001-01-01' as open_until,
    first_dose_date - $lvef_baseline_days as observed_from,
    date '0001-01-01' as drugs_from,
    first_dose_date as drugs_through,
    case
        when first_dose_date is null and other_her2 then 'tki-only'
        when first_dose_date is null then 'no-her2-antibody-or-conjugate'
        when not invasive then 'in-situ'
    end as excluded,
    case
        when year_only and (not in_time or not after_anthracycline or (low and not decided)) then 'imprecise-date'
        when in_time and after_anthracycline and untold and not decided then 'lvef-not-recorded'
        when began_later and (not in_time or (low and not decided)) then 'days-not-recorded'
        when in_time and (began_later or pertuzumab_began_later) and not after_anthracycline then 'days-not-recorded'
    end as missing_reason,
    case missing_reason
        when 'imprecise-date' then ['cardiac_assessments.assessment_date']
        when 'days-not-recorded' then ['treatments.start_date']
        else ['cardiac_assessments.lvef_percent']
    end as missing,
    case
        when not in_time or not after_anthracycline then null
        when (low or untold) and decided then 'low-with-decision'
        when low then null
        when
            setting = 'curative' and first_pertuzumab_date is not null and last_anthracycline_date is null
            and lvef_percent < $pertuzumab_limit then 'low-for-pertuzumab'
        else 'measured'
    end as met,
    case
        when in_time and after_anthracycline then cast([] as varchar[])
        when setting = 'metastatic' then ['metastatic']
        when late then ['late']
        else cast([] as varchar[])
    end as lacking,
    case
        when not in_time and late then 'late-baseline'
        when not in_time then 'no-baseline'
        when not after_anthracycline then 'before-anthracycline'
        else 'low-without-decision'
    end as failed,
    case
        when in_time or (not late and last_before_date is not null)
            then $lvef_baseline_days - date_diff('day', last_before_date, first_dose_date)
        else date_diff('day', first_after_date, first_dose_date)
    end as margin_days,
    first_dose_date is not null and invasive as gate_expected,
    seen as gate_seen,
    case when excluded is null then to_json(struct_pack(
        first_dose_date := first_dose_date,
        setting := setting,
        first_pertuzumab_date := first_pertuzumab_date,
        last_anthracycline_date := last_anthracycline_date,
        assessment_date := baseline_date,
        method := method,
        lvef_percent := lvef_percent,
        result := result,
        days_before_first_dose := date_diff('day', baseline_date, first_dose_date),
        last_assessment_up_to_first_dose := last_before_date,
        first_assessment_after := first_after_date,
        decision_documented := decided
    )) end as evidence
from judged
