-- HER2-targeted treatment that has begun goes on during radiotherapy.
-- denominator: radiotherapy courses of HER2-positive M0 disease within the year of HER2 treatment.
with sides as (
    select
        *,
        row_number() over (
            partition by episode_key, coalesce(laterality, tumour_id)
            order by
                case when outside_early_her2 is null then 0 else 1 end,
                episode_rank
        ) as place_on_side
    from fct_tumours
),

subjects as (
    select
        t.*,
        p.observable_through,
        l.radiotherapy_indicated,
        c.course_number,
        c.start_date,
        c.end_date,
        c.target_recorded,
        -- Where the last day is not recorded: the earliest and the latest that it can have been.
        c.reached_date as earliest_end,
        c.through_date as latest_end
    from sides as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    inner join fct_local_treatment as l on t.patient_key = l.patient_key and t.tumour_id = l.tumour_id
    left join fct_radiotherapy_courses as c
        on t.patient_key = c.patient_key and t.tumour_id = c.tumour_id
    where t.place_on_side = 1
),

her2_drugs as (
    select
        ingredient,
        is_her2_antibody or is_her2_conjugate as begins_the_year,
        is_her2_conjugate
    from ingredients
    where is_her2
),

irradiated as (
    select distinct
        s.episode_key,
        f.recurrence_date
    from subjects as s
    inner join fct_first_course as f on s.episode_key = f.episode_key
    where s.course_number is not null and s.outside_early_her2 is null
),

dose_days as (
    select
        d.episode_key,
        d.dose_date,
        bool_or(h.begins_the_year) as begins_the_year,
        bool_or(h.is_her2_conjugate) as is_conjugate,
        bool_or(d.open_course) as open_course,
        bool_or(d.is_regimen) as is_regimen,
        bool_and(d.in_sequence) as in_sequence,
        bool_or(d.in_trial) as in_trial,
        max(d.stop_reason) filter (
            where d.stop_reason in ('toxicity', 'patient-refusal', 'progression', 'death')
        ) as stop_reason
    from fct_doses as d
    inner join her2_drugs as h on d.ingredient = h.ingredient
    inner join irradiated as r on d.episode_key = r.episode_key
    where d.setting = 'curative' and d.dose_date < coalesce(r.recurrence_date, date '9999-12-31')
    group by
        d.episode_key,
        d.dose_date
),

spaced as (
    select
        *,
        lead(dose_date) over (partition by episode_key order by dose_date) as next_dose_date,
        min(case when begins_the_year then dose_date end) over (partition by episode_key) as first_her2_date,
        count(*) filter (where is_regimen) over (partition by episode_key) as regimen_days
    from dose_days
),

-- lapses_on: the day of the next dose, never where there is none. An interval is one to judge when it is too long, or
-- when the treatment ended with it before its year was complete.
intervals as (
    select
        *,
        dose_date + $three_weekly_days as covered_to,
        coalesce(next_dose_date, date '9999-12-31') as lapses_on,
        coalesce(
            date_diff('day', dose_date, next_dose_date) > $gap_days,
            dose_date + $three_weekly_days < first_her2_date + $year_days
        ) as broken_if_spanning
    from spaced
),

-- breaks: the interval leaves radiotherapy without a dose, whenever its last day was. may_break: on some of the days
-- that its last day can have been.
spanned as (
    select
        s.tumour_id,
        s.patient_key,
        s.course_number,
        s.start_date,
        s.latest_end,
        d.dose_date,
        d.next_dose_date,
        d.first_her2_date,
        d.is_conjugate,
        d.in_trial,
        d.in_sequence,
        d.open_course or (d.is_regimen and d.regimen_days = 1) as end_unknown,
        d.broken_if_spanning
        and case
            when d.dose_date <= s.start_date then d.lapses_on > s.latest_end
            else d.covered_to < s.earliest_end
        end as breaks,
        d.broken_if_spanning
        and case
            when d.dose_date <= s.start_date then d.lapses_on > s.earliest_end
            else d.covered_to < s.latest_end
        end as may_break
    from subjects as s
    inner join intervals as d on s.episode_key = d.episode_key
    where s.course_number is not null
),

around as (
    select
        tumour_id,
        patient_key,
        course_number,
        min(first_her2_date) as first_her2_date,
        max(dose_date) as last_her2_date,
        max(dose_date) filter (where dose_date <= start_date) as prior_dose_date,
        min(dose_date) filter (where dose_date > start_date) as next_dose_date,
        max(dose_date) filter (where dose_date <= start_date and is_conjugate) as prior_conjugate_date,
        min(dose_date) filter (where dose_date > start_date and is_conjugate) as next_conjugate_date,
        max(date_diff('day', dose_date, next_dose_date)) filter (
            where dose_date < latest_end and next_dose_date > start_date
        ) as longest_gap_days,
        bool_or(breaks) as broken,
        bool_or(may_break) as maybe_broken,
        min(dose_date) filter (where may_break) as broken_from,
        bool_or((end_unknown or (in_sequence and may_break)) and dose_date < latest_end) as open_course,
        bool_or(in_trial) as in_trial
    from spanned
    group by
        tumour_id,
        patient_key,
        course_number
),

judged as (
    select
        s.*,
        a.first_her2_date,
        a.last_her2_date,
        a.prior_dose_date,
        a.next_dose_date,
        a.longest_gap_days,
        a.open_course,
        a.in_trial,
        a.broken,
        a.maybe_broken,
        a.prior_conjugate_date = a.prior_dose_date as on_conjugate,
        a.next_conjugate_date = a.next_dose_date as onto_conjugate,
        coalesce(a.broken_from + $gap_days, s.latest_end) as due_date,
        a.next_dose_date is null
        and date_diff('day', a.prior_dose_date, s.start_date) > $gap_days as stopped_before,
        a.last_her2_date < s.latest_end
        and a.last_her2_date + $three_weekly_days >= a.first_her2_date + $year_days as ended_complete,
        a.broken_from = a.last_her2_date as ended_early
    from subjects as s
    left join around as a
        on s.patient_key = a.patient_key and s.tumour_id = a.tumour_id and s.course_number = a.course_number
),

reasons as (
    select
        s.patient_key,
        s.tumour_id,
        s.course_number,
        max(d.stop_reason) as stop_reason
    from judged as s
    inner join dose_days as d on s.episode_key = d.episode_key
    where s.maybe_broken and d.dose_date between s.prior_dose_date and s.latest_end
    group by
        s.patient_key,
        s.tumour_id,
        s.course_number
),

toxicities as (
    select
        s.patient_key,
        s.tumour_id,
        s.course_number,
        min(case e.event when 'heart_failure' then 'contraindication-cardiac' else 'toxicity' end) as reason
    from judged as s
    inner join stg_events as e on s.patient_key = e.patient_key
    where
        (
            e.event in ('ild', 'anaphylaxis')
            or (
                e.event in ('heart_failure', 'infusion_reaction')
                and (e.action like '%stopped%' or e.action like '%interrupted%')
            )
        )
        and e.event_date between s.prior_dose_date - $three_weekly_days and s.latest_end + $stop_lookahead_days
    group by
        s.patient_key,
        s.tumour_id,
        s.course_number
),

weak_hearts as (
    select distinct
        s.patient_key,
        s.tumour_id,
        s.course_number
    from judged as s
    inner join stg_cardiac_assessments as h on s.patient_key = h.patient_key
    where
        (h.lvef_percent < $lvef_hold_below or (h.lvef_percent is null and h.result = 'abnormal'))
        and h.assessment_date between s.prior_dose_date - $three_weekly_days
        and s.latest_end + $stop_lookahead_days
    union
    select
        s.patient_key,
        s.tumour_id,
        s.course_number
    from judged as s
    inner join fct_cardiac_holds as h on s.episode_key = h.episode_key
    where
        h.by_label
        and h.from_date between s.prior_dose_date - $three_weekly_days
        and s.latest_end + $stop_lookahead_days
),

recorded as (
    select distinct patient_key
    from stg_radiotherapy
),

treated as (
    select distinct s.episode_key
    from fct_drug_spans as s
    inner join fct_first_course as f on s.episode_key = f.episode_key
    where
        s.setting = 'curative'
        and (s.is_her2_antibody or s.is_her2_conjugate)
        and s.first_dose_date < coalesce(f.recurrence_date, date '9999-12-31')
)

select
    'radiotherapy-' || cast(coalesce(s.course_number, 1) as varchar) as subject_part,
    s.patient_key,
    s.tumour_id,
    s.site_id,
    s.episode_key,
    s.start_date as decision_date,
    s.due_date,
    greatest(s.due_date, s.latest_end) as open_until,
    s.prior_dose_date as clock_start,
    s.prior_dose_date as observed_from,
    s.latest_end + $gap_days as drugs_through,
    case
        when s.outside_early_her2 is not null then s.outside_early_her2
        when s.start_date is null then 'no-radiotherapy'
        when coalesce(s.first_her2_date >= s.start_date, true) then 'no-her2-treatment-before'
        when s.start_date >= s.first_her2_date + $year_days then 'year-complete-before'
        when s.stopped_before and not s.open_course then 'stopped-before'
    end as excluded,
    case
        when s.open_course and s.maybe_broken then 'no-end-date'
        when s.broken and not s.target_recorded then 'target-not-recorded'
        when s.broken or not s.maybe_broken then null
        when s.latest_end <= s.observable_through then 'radiotherapy-end-not-recorded'
    end as missing_reason,
    case missing_reason
        when 'no-end-date' then ['treatments.end_date']
        when 'target-not-recorded' then ['radiotherapy.target']
        when 'radiotherapy-end-not-recorded' then ['radiotherapy.end_date']
    end as missing,
    case
        when s.maybe_broken or s.latest_end > s.observable_through then null
        when s.ended_complete then 'year-complete'
        else 'continued'
    end as met,
    coalesce(
        case r.stop_reason when 'death' then 'death-before-due' else r.stop_reason end,
        x.reason,
        case when h.patient_key is not null then 'contraindication-cardiac' end,
        case when s.in_trial then 'trial' end
    ) as excepted,
    case
        when s.on_conjugate then ['conjugate']
        when s.onto_conjugate then ['antibody', 'conjugate']
        else ['antibody']
    end as lacking,
    case when s.ended_early then 'stopped' else 'paused' end as failed,
    -- The longest interval decides nothing where treatment ended, or where a dose in radiotherapy followed a long one.
    case
        when s.maybe_broken = (s.longest_gap_days > $gap_days) then $gap_days - s.longest_gap_days
    end as margin_days,
    s.outside_early_her2 is null and t.episode_key is not null and s.radiotherapy_indicated as gate_expected,
    d.patient_key is not null as gate_seen,
    case when excluded is null then to_json(struct_pack(
        first_her2_date := s.first_her2_date,
        last_her2_dose_before := s.prior_dose_date,
        radiotherapy_date := s.start_date,
        radiotherapy_end := s.end_date,
        first_her2_dose_after := s.next_dose_date,
        longest_interval_days := s.longest_gap_days,
        last_her2_date := s.last_her2_date,
        her2_basis := s.her2_basis
    )) end as evidence
from judged as s
left join reasons as r
    on s.patient_key = r.patient_key and s.tumour_id = r.tumour_id and s.course_number = r.course_number
left join toxicities as x
    on s.patient_key = x.patient_key and s.tumour_id = x.tumour_id and s.course_number = x.course_number
left join weak_hearts as h
    on s.patient_key = h.patient_key and s.tumour_id = h.tumour_id and s.course_number = h.course_number
left join recorded as d on s.patient_key = d.patient_key
left join treated as t on s.episode_key = t.episode_key
