-- Docetaxel, paclitaxel and AC beside HER2-targeted treatment are dosed and counted as in the regimens.
-- denominator: courses of docetaxel, paclitaxel or AC with a HER2-targeted drug close by, whatever the HER2 status.
with her2_treated as (
    select distinct episode_key
    from fct_drug_spans
    where is_her2
),

cytotoxics as (
    select
        c.patient_key,
        c.episode_key,
        c.setting,
        c.ingredient,
        c.dose_date,
        c.derived,
        c.is_regimen,
        c.in_sequence,
        c.in_trial,
        c.stop_reason
    from fct_cytotoxic_days as c
    where c.ingredient in ('docetaxel', 'paclitaxel', 'doxorubicin', 'cyclophosphamide', 'fluorouracil')
),

doxorubicin_days as (
    select c.*
    from cytotoxics as c
    inner join her2_treated as h on c.episode_key = h.episode_key
    where c.ingredient = 'doxorubicin'
),

-- AC is doxorubicin with cyclophosphamide close by, and with nothing that makes another regimen of it.
ac_partners as (
    select
        d.episode_key,
        d.setting,
        d.dose_date,
        min(case when o.ingredient = 'cyclophosphamide' then o.dose_date end) as partner_date
    from doxorubicin_days as d
    inner join cytotoxics as o on d.episode_key = o.episode_key and d.setting = o.setting
    where abs(date_diff('day', d.dose_date, o.dose_date)) <= $same_cycle_days
    group by
        d.episode_key,
        d.setting,
        d.dose_date
    having partner_date is not null and not bool_or(o.ingredient in ('docetaxel', 'fluorouracil'))
),

days as (
    select
        c.*,
        c.ingredient as regimen,
        cast(null as date) as partner_date
    from cytotoxics as c
    inner join her2_treated as h on c.episode_key = h.episode_key
    where c.ingredient in ('docetaxel', 'paclitaxel')
    union all
    select
        d.*,
        'ac' as regimen,
        p.partner_date
    from doxorubicin_days as d
    inner join ac_partners as p
        on d.episode_key = p.episode_key and d.setting = p.setting and d.dose_date = p.dose_date
),

-- A drug's days this near are one dose split over them or told twice, as easily as two.
neared as (
    select
        *,
        coalesce(
            date_diff(
                'day',
                lag(dose_date) over (partition by episode_key, setting, regimen order by dose_date),
                dose_date
            ) <= $one_dose_days,
            false
        ) as may_be_told
    from days
),

spaced as (
    select
        episode_key,
        setting,
        dose_date,
        lag(dose_date) over (partition by episode_key, setting order by dose_date) as date_before
    from days
),

course_starts as (
    select
        episode_key,
        setting,
        dose_date as start_date,
        lead(dose_date) over (partition by episode_key, setting order by dose_date) as next_start_date,
        row_number() over (partition by episode_key, setting order by dose_date) as course_number
    from spaced
    where coalesce(date_diff('day', date_before, dose_date) > $course_gap_days, true)
),

-- Whichever cancer the row names: what the patient was given of a drug on a day is one dose.
trial_days as (
    select distinct
        patient_key,
        ingredient,
        dose_date
    from cytotoxics
    where in_trial
),

regimens as (
    select
        d.patient_key,
        d.episode_key,
        d.setting,
        s.course_number,
        d.regimen,
        d.ingredient,
        min(d.dose_date) as first_date,
        max(d.dose_date) as last_date,
        count(*) as cycles,
        -- A regimen's name on a single day may stand for all its cycles: it adds none to those that have their days.
        count(*) filter (where d.is_regimen) = 1 as named_once,
        case
            when count(*) filter (where d.is_regimen) = 1
                then count(*) filter (where not d.may_be_told and not d.is_regimen)
            else count(*) filter (where not d.may_be_told)
        end as fewest_cycles,
        bool_or(y.patient_key is not null) as in_trial,
        -- How many cycles a course stands for, or a regimen's name of several parts, is not recorded.
        d.setting = 'curative' and not bool_or(d.derived or d.in_sequence) as dated,
        min_by(d.partner_date, d.dose_date) as partner_date
    from neared as d
    inner join course_starts as s on d.episode_key = s.episode_key and d.setting = s.setting
    left join trial_days as y
        on d.patient_key = y.patient_key and d.ingredient = y.ingredient and d.dose_date = y.dose_date
    where d.dose_date >= s.start_date and d.dose_date < coalesce(s.next_start_date, date '9999-12-31')
    group by
        d.patient_key,
        d.episode_key,
        d.setting,
        s.course_number,
        d.regimen,
        d.ingredient
),

-- The day after the first, whichever course or setting it is of: the interval that tells the schedule.
seconds as (
    select
        g.patient_key,
        g.ingredient,
        g.first_date,
        min(c.dose_date) as second_date
    from regimens as g
    inner join cytotoxics as c on g.patient_key = c.patient_key and g.ingredient = c.ingredient
    where c.dose_date > g.first_date
    group by
        g.patient_key,
        g.ingredient,
        g.first_date
),

firsts as (
    select
        g.* exclude (ingredient),
        date_diff('day', g.first_date, s.second_date) as days_until,
        l.stop_reason
    from regimens as g
    left join seconds as s
        on g.patient_key = s.patient_key and g.ingredient = s.ingredient and g.first_date = s.first_date
    inner join cytotoxics as l
        on
            g.episode_key = l.episode_key
            and g.setting = l.setting
            and g.ingredient = l.ingredient
            and g.last_date = l.dose_date
),

-- The first dose of each drug, with the lowest and highest amount that is right for it at its interval.
asked as (
    select
        *,
        regimen as ingredient,
        first_date as dose_date,
        case when coalesce(days_until >= $three_weekly_least_days, true) then $docetaxel_least end as least,
        case when coalesce(days_until >= $three_weekly_least_days, true) then $docetaxel_most end as most,
        coalesce(days_until between $three_weekly_least_days and $three_weekly_most_days, false) as schedule_known
    from firsts
    where regimen = 'docetaxel'
    union all
    select
        *,
        regimen as ingredient,
        first_date as dose_date,
        case when days_until <= $weekly_interval_days then $paclitaxel_weekly else $paclitaxel_other end as least,
        case when days_until <= $weekly_interval_days then $paclitaxel_weekly else $paclitaxel_other end as most,
        coalesce(days_until <= $weekly_interval_days, false) as schedule_known
    from firsts
    where regimen = 'paclitaxel'
    union all
    select
        *,
        'doxorubicin' as ingredient,
        first_date as dose_date,
        $doxorubicin as least,
        $doxorubicin as most,
        true as schedule_known
    from firsts
    where regimen = 'ac'
    union all
    select
        *,
        'cyclophosphamide' as ingredient,
        partner_date as dose_date,
        $cyclophosphamide as least,
        $cyclophosphamide as most,
        true as schedule_known
    from firsts
    where regimen = 'ac'
),

-- Compared in single precision: 110 is ten percent more than 100, not a hair above it.
compared as (
    select
        a.*,
        d.several,
        d.mg,
        d.mg_m2,
        d.surface_m2,
        d.surface_is_recent,
        coalesce(d.unjudged, case when d.patient_key is null then 'dose-missing' end) as unjudged,
        cast(greatest(1 - d.mg_m2 / a.least, d.mg_m2 / a.most - 1) as float) as deviation,
        d.surface_m2 > $capped_surface
        and cast(
            greatest(1 - d.mg / $capped_surface / a.least, d.mg / $capped_surface / a.most - 1) as float
        ) <= cast($rounding_share as float) as right_if_capped
    from asked as a
    left join fct_surface_dose_days as d
        on a.patient_key = d.patient_key and a.ingredient = d.ingredient and a.dose_date = d.dose_date
),

judged as (
    select
        *,
        case
            when deviation <= cast($rounding_share as float) then 'right'
            when unjudged is not null then unjudged
            when several or not schedule_known or days_until <= $one_dose_days then 'dose-unclear'
            when not surface_is_recent then 'surface-missing'
            when right_if_capped then 'capped'
            else 'wrong'
        end as outcome
    from compared
),

other_taxanes as (
    select
        r.episode_key,
        r.setting,
        r.course_number
    from regimens as r
    inner join fct_cytotoxic_days as c on r.episode_key = c.episode_key and r.setting = c.setting
    where
        r.regimen = 'paclitaxel'
        and c.is_taxane
        and c.ingredient <> 'paclitaxel'
        and c.dose_date between r.first_date - $course_gap_days and r.last_date + $course_gap_days
    group by
        r.episode_key,
        r.setting,
        r.course_number
),

counts as (
    select
        f.episode_key,
        f.setting,
        f.course_number,
        bool_or(
            f.regimen = 'paclitaxel' and f.days_until <= $weekly_interval_days and f.dated and not f.named_once
            and o.episode_key is null and f.cycles < $min_paclitaxel
        ) as few_paclitaxel,
        bool_or(f.regimen = 'ac' and f.dated and not f.named_once and f.cycles < $ac_least) as few_ac,
        bool_or(f.regimen = 'ac' and f.dated and f.fewest_cycles > $ac_cycles) as many_ac,
        max(f.stop_reason) filter (where f.stop_reason in ('toxicity', 'patient-refusal', 'progression'))
            as stop_reason,
        list_sort(list(
            f.regimen || ': ' || cast(f.cycles as varchar) || ' days, ' || cast(f.first_date as varchar) || ' to '
            || cast(f.last_date as varchar)
        )) as given
    from firsts as f
    left join other_taxanes as o
        on f.episode_key = o.episode_key and f.setting = o.setting and f.course_number = o.course_number
    group by
        f.episode_key,
        f.setting,
        f.course_number
),

-- What stops a drug, around its last dose: a reaction that stopped treatment, heart failure, a low LVEF amid AC.
signs as (
    select
        patient_key,
        event_date as seen_date,
        case event when 'heart_failure' then 'contraindication-cardiac' else 'toxicity' end as reason,
        false as ac_alone
    from stg_events
    where
        event = 'heart_failure'
        or (event in ('ild', 'anaphylaxis', 'infusion_reaction') and action like '%stopped%')
    union all
    select
        patient_key,
        assessment_date as seen_date,
        'contraindication-cardiac' as reason,
        true as ac_alone
    from stg_cardiac_assessments
    where lvef_percent < $lvef_low
),

harms as (
    select
        f.episode_key,
        f.setting,
        f.course_number,
        min(s.reason) as reason
    from firsts as f
    inner join signs as s on f.patient_key = s.patient_key
    where
        f.regimen <> 'docetaxel'
        and (f.regimen = 'ac' or not s.ac_alone)
        and s.seen_date between f.last_date - $lvef_action_days and f.last_date + $stop_lookahead_days
    group by
        f.episode_key,
        f.setting,
        f.course_number
),

courses as (
    select
        patient_key,
        episode_key,
        setting,
        course_number,
        min(first_date) as first_date,
        max(last_date) as last_date,
        bool_or(in_trial) as in_trial,
        count(*) as doses,
        count(*) filter (where outcome in ('right', 'wrong', 'capped')) as judged,
        count(*) filter (where outcome = 'wrong') as wrong,
        count(*) filter (where outcome = 'capped') as capped,
        bool_or(regimen = 'paclitaxel' and not schedule_known) as other_accepted,
        max(case when outcome not in ('right', 'wrong', 'capped') then outcome end) as left_out,
        list_distinct(list(case when outcome = 'wrong' then regimen end)) as wrong_parts,
        list_sort(list(
            ingredient || ' on ' || cast(dose_date as varchar) || ': '
            || coalesce(cast(mg_m2 as varchar) || ' mg/m2', 'not known')
        )) as first_doses
    from judged
    group by
        patient_key,
        episode_key,
        setting,
        course_number
),

beside_her2 as (
    select distinct
        c.episode_key,
        c.setting,
        c.course_number
    from courses as c
    inner join fct_drug_spans as s on c.episode_key = s.episode_key
    where
        s.is_her2
        and s.first_dose_date <= c.last_date + $course_gap_days
        and s.last_dose_date >= c.first_date - $course_gap_days
),

documented_trials as (
    select distinct episode_key
    from fct_documented_trials
    where
        topic_name in (
            'chemo-dose-in-range',
            'chemotherapy',
            'taxane',
            'anthracycline',
            'docetaxel',
            'paclitaxel',
            'doxorubicin',
            'cyclophosphamide'
        )
),

population as (
    select
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        t.invasive,
        t.m_status,
        h.episode_key is not null as her2_treated,
        c.* exclude (patient_key, episode_key, in_trial),
        c.in_trial or x.episode_key is not null as in_trial,
        n.few_paclitaxel or n.few_ac as too_few,
        n.many_ac as too_many,
        n.few_paclitaxel,
        n.few_ac or n.many_ac as wrong_ac_count,
        coalesce(n.stop_reason, w.reason) as stop_reason,
        n.given,
        c.last_date + $open_course_days as due_date,
        p.death_date is not null or c.last_date + $open_course_days <= p.observable_through as closed
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join her2_treated as h on t.episode_key = h.episode_key
    left join beside_her2 as b on t.episode_key = b.episode_key
    left join courses as c
        on b.episode_key = c.episode_key and b.setting = c.setting and b.course_number = c.course_number
    left join counts as n
        on c.episode_key = n.episode_key and c.setting = n.setting and c.course_number = n.course_number
    left join harms as w
        on c.episode_key = w.episode_key and c.setting = w.setting and c.course_number = w.course_number
    left join documented_trials as x on t.episode_key = x.episode_key
    where t.is_index
),

weighed as (
    select
        *,
        wrong > 0 or too_many as failed_already,
        list_distinct(
            list_concat(
                wrong_parts,
                case when few_paclitaxel then ['paclitaxel'] else [] end,
                case when wrong_ac_count then ['ac'] else [] end
            )
        ) as lacking_parts
    from population
)

select
    case setting when 'metastatic' then 'metastatic' else 'early' end
    || '-' || cast(coalesce(course_number, 1) as varchar) as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_date as decision_date,
    due_date,
    case when failed_already then first_date end as open_until,
    case when not failed_already then first_date end as clock_start,
    -- What was given before a move may be missing from the count, and the first dose on record no first dose.
    case when too_many then first_date else first_date - $course_gap_days end as observed_from,
    date '0001-01-01' as drugs_from,
    due_date as drugs_through,
    case
        when not invasive then 'in-situ'
        when not her2_treated then 'no-her2-therapy'
        when first_date is null then 'no-course'
        when in_trial then 'trial'
    end as excluded,
    case
        when judged = 0 then left_out
        -- In metastatic disease numbers are not judged, and it may be that.
        when m_status = 'unknown' and wrong = 0 and (too_many or too_few) then 'm-unknown'
    end as missing_reason,
    case
        when judged > 0 then ['tumours.clinical_m']
        when left_out = 'surface-missing' then ['observations.bsa_m2']
        else ['treatments.dose', 'treatments.dose_unit']
    end as missing,
    case
        when failed_already or too_few or capped > 0 or not closed then null
        when judged < doses then 'judged-doses-in-range'
        when other_accepted then 'other-accepted'
        else 'doses-in-range'
    end as met,
    case
        when failed_already or not closed then null
        when too_few then stop_reason
        else 'capped-surface'
    end as excepted,
    case
        when not failed_already and not closed then []
        when len(lacking_parts) > 1 then ['several']
        else lacking_parts
    end as lacking,
    case
        when wrong > 0 then 'dose-out-of-range'
        when too_many then 'too-many-cycles'
        else 'too-few-doses'
    end as failed,
    case when excluded is null then to_json(struct_pack(
        first_date := first_date,
        last_date := last_date,
        first_doses := first_doses,
        first_doses_judged := judged,
        first_doses_outside_range := wrong,
        given := given,
        recorded_stop_reason := stop_reason
    )) end as evidence
from weighed
