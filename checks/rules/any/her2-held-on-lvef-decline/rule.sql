-- HER2-targeted treatment is held after a significant fall of the LVEF until a repeat shows recovery.
-- denominator: significant falls of the LVEF on treatment, by the limits in force.
with treated as (
    select distinct episode_key
    from fct_her2_settings
),

subjects as (
    select
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        t.invasive,
        t.m_status,
        s.episode_key is not null as treated,
        p.observable_through,
        coalesce(p.death_date <= p.observable_through, false) as died,
        f.* exclude (patient_key, episode_key),
        f.from_date + $lvef_action_days + $repeat_days as due_date,
        f.early_dose_date is not null as early,
        f.next_dose_date is not null as resumed
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join treated as s on t.episode_key = s.episode_key
    left join fct_lvef_falls as f on t.episode_key = f.episode_key and f.text = $limits
    where t.is_index
),

repeats as (
    select
        s.episode_key,
        s.fall_number,
        min(a.assessment_date) as first_date,
        bool_or(a.lvef_percent is null and a.assessment_date <= s.early_dose_date) as untold
    from subjects as s
    inner join stg_cardiac_assessments as a on s.patient_key = a.patient_key
    where a.assessment_date > s.from_date
    group by
        s.episode_key,
        s.fall_number
),

imprecise_hearts as (
    select distinct patient_key
    from stg_cardiac_assessments
    where span_days > 0
),

judged as (
    select
        s.*,
        i.patient_key is not null as imprecise,
        r.untold,
        least(r.first_date, s.recovered_date) as repeat_date,
        s.early or (s.resumed and least(r.first_date, s.recovered_date) > s.from_date + $repeat_days) as fails
    from subjects as s
    left join repeats as r on s.episode_key = r.episode_key and s.fall_number = r.fall_number
    left join imprecise_hearts as i on s.patient_key = i.patient_key
)

select
    'lvef-fall-' || cast(coalesce(fall_number, 1) as varchar) as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    from_date as decision_date,
    due_date,
    case
        when early then from_date + $confirm_days
        when resumed then least(greatest(from_date + $repeat_days, next_dose_date), due_date)
        else due_date
    end as open_until,
    from_date as observed_from,
    case
        when not treated then 'no-her2-antibody-or-conjugate'
        when not invasive then 'in-situ'
        when from_date is null then 'no-fall'
        when setting = 'curative' and m_status = 'unknown' then 'm-unknown'
    end as excluded,
    case
        when fails and imprecise then 'imprecise-date'
        when fails and not known_methods then 'method-not-recorded'
        when untold then 'lvef-not-recorded'
        when early then null
        when unended then 'doses-not-dated'
        -- A dose may have been given before recovery, or none on the days that a course leaves open.
        when next_derived and coalesce(recovered_date > from_date + $lvef_action_days + 1, true) then 'doses-not-dated'
    end as missing_reason,
    case missing_reason
        when 'imprecise-date' then ['cardiac_assessments.assessment_date']
        when 'method-not-recorded' then ['cardiac_assessments.method']
        when 'lvef-not-recorded' then ['cardiac_assessments.lvef_percent']
        else ['treatments.start_date']
    end as missing,
    case
        when fails then null
        when next_dose_date < from_date + case when with_trastuzumab then $hold_trastuzumab_days else $hold_days end
            then 'held-briefly'
        when resumed then 'held'
        when observable_through >= due_date or died then 'stopped'
    end as met,
    case
        when fails and clear_date <= from_date + $confirm_days then 'not-confirmed'
        when fails and in_trial then 'trial'
    end as excepted,
    case when fails then ['continued'] else cast([] as varchar[]) end as lacking,
    case when early then 'given-before-recovery' else 'repeat-late' end as failed,
    case
        when early then date_diff('day', early_dose_date, from_date + $lvef_action_days)
        when resumed then date_diff('day', repeat_date, from_date + $repeat_days)
    end as margin_days,
    case when excluded is null then to_json(struct_pack(
        fall_date := from_date,
        lvef_before_treatment := baseline_percent,
        lvef_percent := lvef_percent,
        points := baseline_percent - lvef_percent,
        method := method,
        drugs := drugs,
        setting := setting,
        last_dose_date := last_dose_date,
        first_dose_after_action_days := next_dose_date,
        first_dose_before_recovery := early_dose_date,
        first_repeat_date := repeat_date,
        recovery_date := recovered_date
    )) end as evidence
from judged
